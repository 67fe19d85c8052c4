import { PgbackupError } from '../../domain/errors.ts';
import { readKeys } from '../../app/keys.ts';
import { storagesOption } from './catalog-target.ts';
import { restore as restoreDatabase, type RestoreResult } from '../../app/restore.ts';
import type { Output } from '../output.ts';
import { parseChecks, parseKeyFiles, parseNumber, parseSha256, parseSource } from '../parse.ts';
import { formatSeconds } from '../present.ts';
import { formatCount, formatGap, formatTables, formatTime } from '../../domain/format.ts';
import { confirmOptions, formatOption, keyOptions, serviceOption, type CommandSpec } from '../spec.ts';

export const restore: CommandSpec = {
  verb: 'restore',
  args: '<target> [source]',
  summary: 'Restore a database aside then swap it in',
  details:
    'The source is a backup id, a file, an object of a bucket (s3://bucket/key), - for standard input, or --latest. Files may be pg_dump archives (custom or tar) or plain SQL, ' +
    'bare or in gzip, zstd, xz, bzip2 or tar, and the .tgz and .tgz.gpg files of dokku postgres:backup; their kind is read from the bytes. ' +
    'What is encrypted with age or gpg is opened with --identity or --passphrase-file. ' +
    'The source is checked first. The linked apps go into maintenance mode, the dump is restored into a scratch database and checked there, ' +
    'and the scratch database then takes the place of the live one, which is kept for pgbackup:undo. Whatever fails, the live database stays what it is.',
  options: [
    serviceOption,
    { flags: '--latest', summary: 'the newest backup' },
    { flags: '--storage <storage>', summary: 'take it from this storage', repeats: true },
    { flags: '--from-host <host>', summary: 'with --latest: the newest of another host, as pgbackup:discover names it' },
    { flags: '--into <service>', summary: 'restore into another service' },
    { flags: '--online', summary: 'maintenance mode only for the swap: what is written meanwhile stays in the previous database' },
    { flags: '--stop-app', summary: 'also stop the processes of the apps: workers go on writing in maintenance mode' },
    { flags: '--jobs <n>', summary: 'parallel jobs' },
    { flags: '--check <sql>', summary: 'a query whose first value must be neither false nor NULL in the restored database', repeats: true },
    { flags: '--sha256 <hex>', summary: 'the checksum that a file must have' },
    { flags: '--dry-run', summary: 'check everything; show the plan; change nothing; exit code 5 where the restore would be refused' },
    ...keyOptions,
    ...confirmOptions,
    formatOption,
  ],
  examples: [
    'dokku pgbackup:restore shop --latest',
    'dokku pgbackup:restore shop /srv/postgres-shop-2026-11-20-03-00-00.tgz --check "select count(*) = 562 from users"',
    'dokku pgbackup:restore shop s3://bucket/postgres-shop-2026-11-20-03-00-00.tgz --storage offsite',
    'dokku pgbackup:restore shop - --confirm shop < dump.sql.gz',
    'dokku pgbackup:restore shop /srv/shop.tgz.gpg --passphrase-file - --confirm shop < passphrase.txt',
  ],
  run: async (context, args) => {
    const { output, ports } = context;
    const sha256 = parseSha256(args.text('sha256'));
    const source = parseSource(args.optional(1), args.flag('latest'), sha256, args.required(0));
    if (source.kind === 'id' && sha256 !== undefined)
      throw new PgbackupError('usage', '--sha256 is for files: a backup has its checksum in its manifest');
    const jobs = parseNumber(args.text('jobs'), '--jobs', 1, 64);
    const service = args.text('service');
    const keyFiles = parseKeyFiles(args, source.kind === 'stdin');
    const checks = parseChecks(args.list('check'));
    const opened = await ports();
    const storages = storagesOption(args);
    const fromHost = args.text('fromHost');
    if (fromHost !== undefined && source.kind !== 'latest')
      throw new PgbackupError('usage', '--from-host goes with --latest: an id is of one host alone');
    const result = await restoreDatabase(opened, {
      target: args.required(0),
      ...(service !== undefined && { service }),
      source,
      ...(storages !== undefined && { storages }),
      ...(fromHost !== undefined && { fromHost }),
      into: args.text('into'),
      online: args.flag('online'),
      stopApp: args.flag('stopApp'),
      jobs,
      checks,
      sha256,
      keys: await readKeys(opened, keyFiles),
      dryRun: args.flag('dryRun'),
      confirm: args.text('confirm'),
      force: args.flag('force'),
    });
    if (output.options.json) output.json(result);
    else present(output, result, args.required(0));
    const [refusal] = result.kind === 'planned' ? result.plan.refusals : [];
    if (refusal) throw new PgbackupError('refused', `Dry run: the restore would be refused: ${refusal.message}`, { hint: refusal.hint });
  },
};

function present(output: Output, result: RestoreResult, target: string): void {
  if (result.kind === 'planned') {
    const [refusal, ...more] = result.plan.refusals;
    for (const other of more) output.warn(`${other.message}. ${other.hint}`);
    if (!output.options.quiet && !refusal)
      output.line('=====> Dry run: nothing has been changed; without --dry-run the restore would go on');
    return;
  }
  const compared =
    result.tablesCompared === undefined ? 'no manifest to compare with' : `as the manifest says, ${formatTables(result.tablesCompared)}`;
  output.result(`Restored ${result.source} into ${result.service}`, [
    ['Database', result.database],
    ['Rows', `${formatCount(result.rows)} in ${formatTables(result.tables)} (${compared})`],
    ...result.checks.map(({ sql, before, after }): [string, string] => ['Check', `${sql}: before ${before}, now ${after}`]),
    ['Cut off', formatGap(result.gap)],
    ['Took', formatSeconds(result.seconds)],
    ...(result.previous
      ? ([
          ['Previous', `${result.previous.database}, kept until ${formatTime(result.previous.until)}`],
          ['Undo', `dokku pgbackup:undo ${result.service === target ? target : result.service}`],
        ] as const)
      : []),
  ]);
}
