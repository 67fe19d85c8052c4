import { Faults } from '../twins/faults.ts';
import { type Content, contentOf } from '../twins/content.ts';
import { World } from '../twins/world.ts';
import { give, type Said } from './command.ts';

/** A person at the shell of a host, which is a world of twins. */
export class Shell {
  readonly world = new World();
  /** What the last command asked of the world. */
  calls: readonly string[] = [];

  /** Gives a command line, its words separated by spaces (`_` is a space in a word), to a new process. */
  async dokku(line: string): Promise<Said> {
    const faults = new Faults();
    const said = await give(
      line.split(' ').map((word) => word.replaceAll('_', ' ')),
      () => this.world.boot(faults).ports,
    );
    this.calls = faults.calls;
    return said;
  }

  /** Takes a backup of shop. @returns its id. */
  async run(options = ''): Promise<string> {
    return (await this.dokku(`pgbackup:run shop --quiet${options}`)).out.trim();
  }

  /** Title of the live database of shop. */
  get live(): string | undefined {
    return this.world.databases.get('shop')?.content.title;
  }

  /** Changes what the live database of shop holds. */
  change(title: string, users: number): void {
    const database = this.world.databases.get('shop');
    if (database) database.content = contentOf(title, users) satisfies Content;
  }

  /** Puts a text where an object of the storage is. */
  async overwrite(key: string, bytes: Uint8Array): Promise<void> {
    async function* body(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    await this.world.storage.put(key, body());
  }
}

/** What Dokku sets for options before the command's name. */
export function forgetDokkuOptions(): void {
  for (const name of ['DOKKU_QUIET_OUTPUT', 'DOKKU_TRACE', 'DOKKU_APPS_FORCE_DELETE']) delete process.env[name];
}
