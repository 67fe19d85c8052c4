import { describe, expect, it } from 'vitest';
import { parseJournal, type Journal } from '../../../src/domain/journal.ts';
import { operationDatabases, ownDatabasePrefix, parsePrevious } from '../../../src/domain/previous.ts';

const backup: Journal = {
  kind: 'backup',
  operation: 'shop-20261120T031500Z-k3f9',
  backupDir: null,
  storages: ['local'],
  prefix: 'host/shop/shop-20261120T031500Z-k3f9/',
};
const swap: Journal = {
  kind: 'restore',
  operation: 'shop-20261120T031500Z-k3f9',
  live: 'shop',
  scratch: 'pgbackup_scratch_x',
  previous: 'pgbackup_previous_x',
  liveExisted: true,
  keep: 86_400,
  source: 'shop-20261119T031500Z-aaaa',
  step: 'swap',
  older: null,
  apps: [{ name: 'web', maintenance: 'off', stopped: true }],
};
const previous = {
  live: 'shop',
  database: 'pgbackup_previous_x',
  since: '2026-11-20T03:15:00.000Z',
  until: '2026-11-21T03:15:00.000Z',
  source: 'x',
};

/** Every text that a power loss in the middle of a write could leave. */
function cuts(text: string): string[] {
  return [
    ...Array.from({ length: text.length }, (_, length) => text.slice(0, length)),
    '\0'.repeat(text.length),
    text.slice(0, -10) + '\0'.repeat(10),
  ];
}

describe('a journal', () => {
  it.each<Journal>([
    backup,
    swap,
    {
      ...swap,
      kind: 'undo',
      step: 'maintenance',
      older: 'pgbackup_previous_y',
      apps: [{ name: 'web', maintenance: null, stopped: false }],
    },
  ])('comes back as it was written: %j', (journal) => {
    expect(parseJournal(JSON.stringify(journal), 'here')).toEqual(journal);
  });

  it.each([backup, swap])('that was cut off or zeroed is an error that names it, never half a journal', (journal) => {
    for (const text of cuts(JSON.stringify(journal))) {
      expect(() => parseJournal(text, '/state/journal.json')).toThrow(
        expect.objectContaining({
          code: 'damaged',
          message: expect.stringContaining('/state/journal.json'),
          hint: expect.stringContaining('remove the file'),
        }),
      );
    }
  });

  it.each([
    { ...swap, kind: 'other' },
    { ...swap, step: 'later' },
    { ...swap, liveExisted: 'yes' },
    { ...swap, apps: [{ name: 'web', maintenance: 'maybe', stopped: false }] },
    { ...swap, older: undefined },
    { ...backup, prefix: undefined },
    [],
    null,
    'text',
  ])('with a wrong field is an error: %j', (journal) => {
    expect(() => parseJournal(JSON.stringify(journal), 'here')).toThrow('cannot be read');
  });
});

describe('the record of a previous database', () => {
  it('comes back as it was written', () => expect(parsePrevious(JSON.stringify(previous), 'here')).toEqual(previous));

  it('that was cut off or zeroed is an error that names it', () => {
    for (const text of cuts(JSON.stringify(previous))) {
      expect(() => parsePrevious(text, '/state/previous.json')).toThrow(
        expect.objectContaining({ code: 'damaged', message: expect.stringContaining('/state/previous.json') }),
      );
    }
  });

  it.each(['since', 'until'])('with a wrong time %s is an error', (field) => {
    expect(() => parsePrevious(JSON.stringify({ ...previous, [field]: 'yesterday' }), 'here')).toThrow('cannot be read');
  });
});

describe('the databases of an operation', () => {
  it('have names that are our own, differ, and fit Postgres whatever the service is called', () => {
    const { scratch, previous: kept } = operationDatabases('20261120T031500Z', 'k3f9');
    expect(scratch).toBe('pgbackup_scratch_20261120t031500z_k3f9');
    expect(kept).toBe('pgbackup_previous_20261120t031500z_k3f9');
    for (const name of [scratch, kept]) {
      expect(name.startsWith(ownDatabasePrefix)).toBe(true);
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    }
  });
});
