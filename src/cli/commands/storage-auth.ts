import { PgbackupError } from '../../domain/errors.ts';
import { localStorage, parseStorageName } from '../../domain/storage-name.ts';
import { readSecretText } from '../secret-input.ts';
import { formatOption, type CommandSpec } from '../spec.ts';

export const storageAuth: CommandSpec = {
  verb: 'storage-auth',
  args: '<name>',
  summary: 'Give a storage its access keys on standard input',
  details:
    'Two lines: the access key id, then the secret. They are kept where user dokku alone can read them, and the secret is shown nowhere. ' +
    'From a file that only root can read: dokku pgbackup:storage-auth offsite < /root/keys',
  options: [formatOption],
  examples: ["printf 'KEY\\nSECRET\\n' | dokku pgbackup:storage-auth offsite", 'dokku pgbackup:storage-auth offsite < /root/offsite.keys'],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const name = parseStorageName(args.required(0));
    if (name === localStorage) throw new PgbackupError('usage', 'The storage "local" is a directory of this host, and needs no keys');
    const config = ports.storages.config(name);
    if (config.kind !== 's3' || config.auth.kind !== 'keys') {
      throw new PgbackupError('usage', `Storage ${name} needs no keys`, {
        hint:
          config.kind === 's3'
            ? 'It was set up with --use-iam or --profile; to change that: dokku pgbackup:storage-create … --replace'
            : 'It is a directory of this host',
      });
    }
    const keys = parseKeys(await readSecretText(`The pair of keys of ${name}`), name);
    await ports.storages.writeKeys(name, keys);
    if (output.options.json) return output.json({ name, accessKeyId: keys.accessKeyId });
    output.result(`Storage ${name} has its keys (${keys.accessKeyId})`, [['Try it', `dokku pgbackup:storage-check ${name}`]]);
  },
};

/** @throws PgbackupError usage, which quotes nothing of what came. */
function parseKeys(text: string, name: string): { accessKeyId: string; secretAccessKey: string } {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim().replace(/^(?:export\s+)?AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY)=/, ''))
    .filter(Boolean);
  const [accessKeyId, secretAccessKey, ...more] = lines;
  const printable = /^[\x21-\x7e]{3,512}$/;
  if (accessKeyId === undefined || secretAccessKey === undefined || more.length > 0)
    throw new PgbackupError('usage', `Standard input has ${lines.length} ${lines.length === 1 ? 'line' : 'lines'}, not two`, {
      hint: `The access key id, then the secret: printf 'KEY\\nSECRET\\n' | dokku pgbackup:storage-auth ${name}`,
    });
  if (!printable.test(accessKeyId) || !printable.test(secretAccessKey))
    throw new PgbackupError('usage', 'What came is no access key: keys have no spaces and no special characters');
  // A key id is short and may be seen; a secret in its place would be shown from then on.
  if (/^A[KS]IA[A-Z0-9]{16}$/.test(secretAccessKey) || (accessKeyId.length >= 40 && secretAccessKey.length <= 30)) {
    throw new PgbackupError('usage', 'The two lines look swapped: the first is as long as a secret, the second as short as a key id', {
      hint: 'The access key id comes first, then the secret. Nothing was kept',
    });
  }
  return { accessKeyId, secretAccessKey };
}
