import type { ServiceName } from '../domain/names.ts';
import type { Ports } from '../ports.ts';
import { operate, type OperationPorts } from './operation.ts';
import { resolveService, type Target } from './resolve.ts';

/** Puts right what a killed operation left on the service. @throws PgbackupError locked, refused, postgres, docker, dokku. */
export async function repair(
  ports: OperationPorts & Pick<Ports, 'dokku'>,
  target: Target,
): Promise<{ service: ServiceName; found: string | undefined }> {
  const service = await resolveService(ports, target);
  const journal = await ports.journals.read(service.name);
  // An operation begins with the recovery; nothing else is to be done.
  await operate(
    ports,
    service,
    'doctor',
    async () => undefined,
    () => (journal ? `cleaned up after ${journal.operation}` : 'nothing to do'),
  );
  return { service: service.name, found: journal?.operation };
}
