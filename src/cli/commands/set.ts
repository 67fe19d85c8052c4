import { resolveService } from '../../app/resolve.ts';
import { setSetting } from '../../app/settings.ts';
import { PgbackupError } from '../../domain/errors.ts';
import { settingRules, checkSetting } from '../../domain/settings.ts';
import { serviceOption, type CommandSpec } from '../spec.ts';

export const set: CommandSpec = {
  verb: 'set',
  args: '[target] [key] [value]',
  summary: 'Set or clear a setting of a service or of all',
  details: `With --global in place of the target: for every service that has no value of its own. Without a value: back to the default.\n\nSettings:\n${settingRules
    .map((rule) => `  ${rule.key.padEnd(18)} ${rule.summary}${rule.fallback === '' ? '' : ` (default ${rule.fallback})`}`)
    .join('\n')}`,
  options: [{ flags: '--global', summary: 'for all services' }, serviceOption],
  examples: [
    'dokku pgbackup:set shop keep-previous 7d',
    'dokku pgbackup:set --global backup-dir /mnt/backups',
    'dokku pgbackup:set shop keep-previous',
  ],
  run: async ({ output, ports: open }, args) => {
    const ports = await open();
    const words = [args.optional(0), args.optional(1), args.optional(2)].filter((word) => word !== undefined);
    if (!args.flag('global') && words.length === 0)
      throw new PgbackupError('usage', 'Name a service, an app, or --global', {
        hint: 'dokku pgbackup:set <target>|--global <key> [value]',
      });
    const [target, key, value] = args.flag('global') ? ['--global' as const, ...words] : words;
    if (target === undefined || key === undefined)
      throw new PgbackupError('usage', 'Name a setting', { hint: 'They are listed by: dokku pgbackup:help set' });
    if (args.flag('global') && words.length > 2) throw new PgbackupError('usage', 'Give either a target or --global');
    checkSetting(key, value ?? '');
    const service = args.text('service');
    if (args.flag('global') && service !== undefined) throw new PgbackupError('usage', 'Give either --service or --global');
    const scope =
      target === '--global' ? '--global' : (await resolveService(ports, { target, ...(service !== undefined && { service }) })).name;
    await setSetting(ports, scope, key, value);
    if (output.options.quiet) return;
    if (key === 'backup-dir') output.detail('Backups taken before stay where they are, and are listed again when the setting leads there');
    const whose = scope === '--global' ? 'all services' : scope;
    output.line(
      value === undefined || value === '' ? `=====> ${key} of ${whose} is back to its default` : `=====> ${key} of ${whose} is ${value}`,
    );
  },
};
