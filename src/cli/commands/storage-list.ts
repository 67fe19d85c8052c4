import { listStorages, type StorageSummary } from '../../app/storage-setup.ts';
import { formatOption, type CommandSpec } from '../spec.ts';

export const storageList: CommandSpec = {
  verb: 'storage-list',
  args: '',
  summary: 'List the storages',
  details:
    'Where each lies, how it is opened, and whose backups go there. Nothing is asked of the storages themselves: pgbackup:storage-check does.',
  options: [formatOption],
  examples: ['dokku pgbackup:storage-list', 'dokku pgbackup:storage-list --format json'],
  run: async ({ output, ports: open }) => {
    const storages = await listStorages(await open());
    for (const { name, problem } of storages) if (problem !== undefined) output.warn(`${name}: ${problem}`);
    if (output.options.json)
      return output.json(
        storages.map(({ name, config, place, keyId, usedBy }) => ({ name, place, access: accessOf({ config, keyId }), usedBy, config })),
      );
    output.table(
      ['NAME', 'KIND', 'PLACE', 'ENDPOINT', 'ACCESS', 'USED BY'],
      storages.map(({ name, config, place, keyId, usedBy }) => [
        name,
        config?.kind ?? 'local',
        place || '-',
        config?.kind === 's3' ? (config.endpoint ?? `Amazon, ${config.region}`) : '-',
        accessOf({ config, keyId }),
        usedBy.map((scope) => (scope === '--global' ? 'all others' : scope)).join(',') || '-',
      ]),
    );
  },
};

function accessOf({ config, keyId }: Pick<StorageSummary, 'config' | 'keyId'>): string {
  if (config?.kind !== 's3') return '-';
  switch (config.auth.kind) {
    case 'keys':
      return keyId === undefined ? 'no keys yet' : `key ${keyId}`;
    case 'iam':
      return 'IAM role';
    case 'profile':
      return `profile ${config.auth.name}`;
  }
}
