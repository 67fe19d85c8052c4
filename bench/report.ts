/** The figures as Markdown. */
import type { Gap } from './gap.ts';
import { median, type Results, type Timing } from './run.ts';
import type { Startup } from './startup.ts';

export interface Figures {
  readonly machine: string;
  readonly mb: number;
  readonly smallMb: number;
  readonly runs: number;
  /** Bytes of the database. */
  readonly bytes: number;
  readonly backups: Results;
  /** pg_restore of the archive to nothing, alone. */
  readonly decodes: readonly Timing[];
  readonly restores: Results;
  readonly smallBackup: Timing;
  readonly smallRestore: Timing;
  readonly gap: Gap;
  readonly smallGap: Gap;
  readonly startup: Startup;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
const secondsOf = (timings: readonly Timing[] | undefined): number => median((timings ?? []).map(({ seconds }) => seconds));
const peakOf = (results: Results, way: string): number => Math.max(...(results[way] ?? []).map(({ peak }) => peak));

function table(results: Results, ours: string): string[] {
  return [
    `| | seconds, median (all) | ${ours} takes … times that | peak memory |`,
    '| --- | --- | --- | --- |',
    ...Object.entries(results).map(([way, timings]) => {
      const all = timings.map(({ seconds }) => seconds.toFixed(2)).join(', ');
      const ratio = (secondsOf(results[ours]) / secondsOf(timings)).toFixed(2);
      const memory = way === ours ? megabytes(peakOf(results, way)) : '';
      return `| ${way.replaceAll('|', '\\|')} | ${secondsOf(timings).toFixed(2)} (${all}) | ${ratio} | ${memory} |`;
    }),
  ];
}

function decodeApart({ backups, decodes }: Figures): string[] {
  const decode = secondsOf(decodes);
  const without = (secondsOf(backups['pgbackup:run']) - decode) / secondsOf(backups['raw limit']);
  return [
    'The raw limit is `pg_dump` with the same compression to nothing, inside the container. To decode the archive to nothing',
    `takes ${decode.toFixed(2)} s by itself; with that stated apart, pgbackup:run takes ${without.toFixed(2)} times the raw limit.`,
  ];
}

function gapRow(mb: number, gap: Gap): string {
  const ms = (value: number): string => `${Math.round(value)} ms`;
  return `| ${mb} MB | ${ms(gap.swap)} | ${gap.failed}, with ${gap.writes} writes | ${ms(gap.usual)} | ${ms(gap.otherwise)} |`;
}

/** @returns the whole report. */
export function report(figures: Figures): string {
  const { backups, restores, startup } = figures;
  const memory = (results: Results, way: string, small: Timing): string =>
    `${megabytes(peakOf(results, way))} and ${megabytes(small.peak)}`;
  const times = (ms: number): string => `${ms.toFixed(1)} ms, ${(ms / startup.node).toFixed(2)} times that`;
  return [
    '# Benchmark',
    '',
    `${megabytes(figures.bytes)} of database, ${figures.runs} alternating runs after one that does not count, ${new Date().toISOString().slice(0, 10)}.`,
    `${figures.machine}. Seconds are of that day and that machine; the ratios are what counts.`,
    '',
    '## Backup (rows counted, decoded to its end and read back)',
    '',
    ...table(backups, 'pgbackup:run'),
    '',
    ...decodeApart(figures),
    '',
    '## Restore (checked, rows compared, analyzed, swapped in)',
    '',
    ...table(restores, 'pgbackup:restore'),
    '',
    'Each finds the database of the round before, and no other.',
    '',
    `Peak memory with ${figures.mb} MB and with ${figures.smallMb} MB of data: backup ${memory(backups, 'pgbackup:run', figures.smallBackup)}, restore ${memory(restores, 'pgbackup:restore', figures.smallRestore)}.`,
    '',
    '## A client that writes every 20 ms while a restore --online swaps the database',
    '',
    '| | longest wait for a write at the swap | connections ended or refused | usual wait | longest at any other time (the disk is busy) |',
    '| --- | --- | --- | --- | --- |',
    gapRow(figures.smallMb, figures.smallGap),
    gapRow(figures.mb, figures.gap),
    '',
    '## Start',
    '',
    `\`node -e 0\` ${startup.node.toFixed(1)} ms. \`pgbackup:list\` on 1,000 backups ${times(startup.list)}. \`pgbackup:help\` ${times(startup.help)}.`,
    `\`dokku help\` takes ${startup.dokkuHelp.toFixed(1)} ms longer with the plugin.`,
    '',
  ].join('\n');
}
