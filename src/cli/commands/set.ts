import { setSetting, settingsScope } from '../../app/settings.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { checkSetting, settingRule, settingRules, shownValue } from '../../domain/settings.ts';
import { hasPipedText, readSecretText } from '../secret-input.ts';
import { serviceOption, type CommandSpec } from '../spec.ts';

const longestKey = Math.max(...settingRules.map(({ key }) => key.length));

export const set: CommandSpec = {
  verb: 'set',
  args: '[target] [key] [value]',
  summary: 'Set or clear a setting of a service or of all',
  details: `With --global in place of the target: for every service that has no value of its own. Without a value: back to the default. Secrets are taken from standard input, and so may addresses be: give - as the value.\n\nSettings:\n${settingRules
    .map((rule) => `  ${rule.key.padEnd(longestKey)} ${rule.summary}${rule.fallback === '' ? '' : ` (default ${rule.fallback})`}`)
    .join('\n')}`,
  options: [{ flags: '--global', summary: 'for all services' }, serviceOption],
  examples: [
    'dokku pgbackup:set shop keep-previous 7d',
    'dokku pgbackup:set --global backup-dir /mnt/backups',
    'dokku pgbackup:set shop keep-previous',
    `printf '%s' "$SECRET" | dokku pgbackup:set shop webhook-secret -`,
  ],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const words = [args.optional(0), args.optional(1), args.optional(2)].filter((word) => word !== undefined);
    if (!args.flag('global') && words.length === 0)
      throw new PgbackupError('usage', 'Name a service, an app, or --global', {
        hint: 'dokku pgbackup:set <target>|--global <key> [value]',
      });
    const [target, key, typed] = args.flag('global') ? ['--global' as const, ...words] : words;
    if (target === undefined || key === undefined)
      throw new PgbackupError('usage', 'Name a setting', { hint: 'They are listed by: dokku pgbackup:help set' });
    if (args.flag('global') && words.length > 2) throw new PgbackupError('usage', 'Give either a target or --global');
    const value = await givenValue(key, typed, target);
    checkSetting(key, value ?? '');
    const service = args.text('service');
    if (args.flag('global') && service !== undefined) throw new PgbackupError('usage', 'Give either --service or --global');
    const scope = target === '--global' ? '--global' : await settingsScope(ports, { target, ...(service !== undefined && { service }) });
    await setSetting(ports, scope, key, value);
    if (output.options.quiet) return;
    if (key === 'backup-dir') output.detail('Backups taken before stay where they are, and are listed again when the setting leads there');
    const whose = scope === '--global' ? 'all services' : scope;
    output.line(
      value === undefined || value === ''
        ? `=====> ${key} of ${whose} is back to its default`
        : `=====> ${key} of ${whose} is ${settingRule(key).secret ? 'set' : shownValue(key, value)}`,
    );
  },
};

/** A value as it was typed, or from standard input where it is a secret or may hold one. @throws PgbackupError usage. */
async function givenValue(key: string, typed: string | undefined, target: string): Promise<string | undefined> {
  const { secret, shown } = settingRule(key);
  // An unset variable of a shell must not turn encryption off, or keep backups on the host alone.
  if (typed === '' && ['recipients', 'passphrase', 'storages'].includes(key)) {
    throw new PgbackupError('usage', `The value of ${key} is empty: is a variable not set?`, {
      hint: `To go back to its default leave it out: dokku pgbackup:set ${target} ${key}`,
    });
  }
  // As storage-auth takes its keys: whoever types it so means to set the secret, and would turn encryption off.
  if (typed === undefined && secret && (await hasPipedText())) {
    throw new PgbackupError('usage', `Something comes on standard input, and it is not said that it is the ${key}`, {
      hint: `To set it, add a dash: dokku pgbackup:set ${target} ${key} -. To go back to the default: … ${key} < /dev/null`,
    });
  }
  if (typed === undefined || typed === '') return typed;
  if (typed === '-' && (secret || shown)) return readSecretText(key);
  if (!secret) return typed;
  throw new PgbackupError('usage', `${key} is taken from standard input only: ps and the shell's history show what is typed`, {
    hint: `Take another, this one has been seen: printf '%s' "$SECRET" | dokku pgbackup:set ${target} ${key} -`,
  });
}
