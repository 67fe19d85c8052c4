import type { ServiceFigures } from './figures.ts';

/** What is told of one schedule. */
export interface ScheduleFigures {
  readonly service: string;
  readonly schedule: string;
  readonly overdue: boolean;
  /** When it counts as overdue, unless a backup comes. */
  readonly overdueAt: Date | undefined;
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * The textfile of Prometheus's node_exporter. `pgbackup_overdue` is as of the moment of writing: a host whose cron stands
 * still never writes again, and so there is the moment from which on it holds, too.
 */
export function formatMetrics(figures: readonly ServiceFigures[], schedules: readonly ScheduleFigures[]): string {
  const of = (value: (one: ServiceFigures) => number | undefined): Sample[] =>
    figures
      .map((one) => ({ labels: { service: one.service }, value: value(one) }))
      .filter((sample): sample is { labels: { service: string }; value: number } => sample.value !== undefined);
  const ofSchedules = (value: (one: ScheduleFigures) => number | undefined): Sample[] =>
    schedules
      .map((one) => ({ labels: { service: one.service, schedule: one.schedule }, value: value(one) }))
      .filter((sample): sample is { labels: { service: string; schedule: string }; value: number } => sample.value !== undefined);
  return [
    family(
      'last_success_timestamp_seconds',
      'When the newest proven backup was finished.',
      of(({ finishedAt }) => seconds(finishedAt)),
    ),
    family(
      'last_failure_timestamp_seconds',
      'When a backup last failed.',
      of(({ failedAt }) => seconds(failedAt)),
    ),
    family(
      'last_size_bytes',
      'Stored size of the newest proven backup.',
      of(({ storedBytes }) => storedBytes ?? undefined),
    ),
    family(
      'last_duration_seconds',
      'How long the newest proven backup took.',
      of(({ startedAt, finishedAt }) => {
        const [from, to] = [seconds(startedAt), seconds(finishedAt)];
        return from === undefined || to === undefined ? undefined : Math.round((to - from) * 1000) / 1000;
      }),
    ),
    family(
      'backups',
      'How many proven backups there are.',
      of(({ backups }) => backups),
    ),
    family(
      'overdue',
      'Whether a schedule lacks a backup that it should have, at the time of writing.',
      ofSchedules(({ overdue }) => (overdue ? 1 : 0)),
    ),
    family(
      'overdue_after_timestamp_seconds',
      'When a schedule counts as overdue, unless a backup comes.',
      ofSchedules(({ overdueAt }) => overdueAt && overdueAt.getTime() / 1000),
    ),
  ].join('');
}

function seconds(iso: string | null): number | undefined {
  return iso === null ? undefined : Date.parse(iso) / 1000;
}

function family(name: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map(({ labels, value }) => {
    const inner = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    return `pgbackup_${name}{${inner.join(',')}} ${value}\n`;
  });
  return `# HELP pgbackup_${name} ${help}\n# TYPE pgbackup_${name} gauge\n${lines.join('')}`;
}

/** As the exposition format wants it. */
function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
