import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFigures, type ServiceFigures } from '../../../src/domain/figures.ts';
import { formatMetrics } from '../../../src/domain/metrics.ts';

const figures: ServiceFigures = {
  service: 'shop',
  backups: 3,
  startedAt: '2026-11-20T03:15:00.000Z',
  finishedAt: '2026-11-20T03:15:04.250Z',
  storedBytes: 1200,
  newestIn: { local: '2026-11-20T03:15:00.000Z' },
  failedAt: null,
};

describe('the textfile', () => {
  it('has a HELP and a TYPE line before the samples of each metric, and none without samples', () => {
    const schedules = [{ service: 'shop', schedule: 'a1b2', overdue: true, overdueAt: new Date('2026-11-20T05:00:00Z') }];
    expect(formatMetrics([figures, { ...figures, service: 'b', startedAt: null, finishedAt: null, storedBytes: null }], schedules)).toBe(
      [
        '# HELP pgbackup_last_success_timestamp_seconds When the newest proven backup was finished.',
        '# TYPE pgbackup_last_success_timestamp_seconds gauge',
        'pgbackup_last_success_timestamp_seconds{service="shop"} 1795144504.25',
        '# HELP pgbackup_last_size_bytes Stored size of the newest proven backup.',
        '# TYPE pgbackup_last_size_bytes gauge',
        'pgbackup_last_size_bytes{service="shop"} 1200',
        '# HELP pgbackup_last_duration_seconds How long the newest proven backup took.',
        '# TYPE pgbackup_last_duration_seconds gauge',
        'pgbackup_last_duration_seconds{service="shop"} 4.25',
        '# HELP pgbackup_backups How many proven backups there are.',
        '# TYPE pgbackup_backups gauge',
        'pgbackup_backups{service="shop"} 3',
        'pgbackup_backups{service="b"} 3',
        '# HELP pgbackup_overdue Whether a schedule lacks a backup that it should have, at the time of writing.',
        '# TYPE pgbackup_overdue gauge',
        'pgbackup_overdue{service="shop",schedule="a1b2"} 1',
        '# HELP pgbackup_overdue_after_timestamp_seconds When a schedule counts as overdue, unless a backup comes.',
        '# TYPE pgbackup_overdue_after_timestamp_seconds gauge',
        'pgbackup_overdue_after_timestamp_seconds{service="shop",schedule="a1b2"} 1795150800',
        '',
      ].join('\n'),
    );
    expect(formatMetrics([], [])).toBe('');
  });

  it('escapes its labels as the exposition format wants it, whatever they hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (service) => {
        const line = formatMetrics([{ ...figures, service, startedAt: null, finishedAt: null, storedBytes: null }], []).split('\n');
        expect(line).toHaveLength(4);
        const [, inner = ''] = /^pgbackup_backups\{service="((?:[^"\\]|\\\\|\\"|\\n)*)"\} 3$/su.exec(line[2] ?? '') ?? [];
        expect(inner.replaceAll(/\\(.)/gsu, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))).toBe(service);
      }),
    );
  });
});

describe('figures', () => {
  it('come back as they were kept, and are nothing where the file is damaged', () => {
    expect(parseFigures(JSON.stringify(figures))).toEqual(figures);
    for (const text of ['', '{', '{"service":"shop"}', JSON.stringify({ ...figures, failedAt: 'yesterday' })])
      expect(parseFigures(text)).toBeUndefined();
  });
});
