import * as v from 'valibot';
import { PgbackupError } from '../../domain/errors.ts';
import { run, type RunOptions, type RunResult } from '../process.ts';

/** The docker program, as Dokku names it for its plugins. */
export function dockerProgram(): string {
  return process.env['DOCKER_BIN'] ?? 'docker';
}

/** Runs docker. @throws PgbackupError docker, when it exits with anything but 0. */
export async function docker(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(dockerProgram(), args, options);
  if (result.exitCode !== 0) throw new PgbackupError('docker', `docker ${args[0] ?? ''} failed: ${result.stderr.trim()}`);
  return result;
}

const containerSchema = v.object({
  Id: v.string(),
  Image: v.string(),
  Name: v.string(),
  State: v.object({ Status: v.string() }),
  Config: v.object({ Image: v.string(), Labels: v.nullable(v.record(v.string(), v.string())) }),
});

/** What `docker inspect` tells of a container. */
export interface Container {
  readonly id: string;
  /** Content id of its image: what the tag names may have changed since. */
  readonly imageId: string;
  readonly name: string;
  readonly status: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** @returns undefined when there is no such container. @throws PgbackupError docker. */
export async function inspectContainer(idOrName: string): Promise<Container | undefined> {
  const result = await run(dockerProgram(), ['container', 'inspect', idOrName]);
  if (result.exitCode !== 0) {
    if (/no such container/i.test(result.stderr)) return undefined;
    throw new PgbackupError('docker', `docker cannot be asked about ${idOrName}: ${result.stderr.trim()}`, {
      hint: 'Is the Docker daemon running, and is user dokku in the group docker?',
    });
  }
  const [found] = v.parse(v.tuple([containerSchema]), JSON.parse(result.stdout));
  return {
    id: found.Id,
    imageId: found.Image,
    name: found.Name.replace(/^\//, ''),
    status: found.State.Status,
    labels: found.Config.Labels ?? {},
  };
}
