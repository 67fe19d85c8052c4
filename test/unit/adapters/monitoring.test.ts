import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileMonitoring } from '../../../src/adapters/monitoring.ts';
import { parseServiceName } from '../../../src/domain/names.ts';

const shop = parseServiceName('shop');
const figures = { service: 'shop', backups: 1, startedAt: null, finishedAt: null, storedBytes: null, newestIn: {}, failedAt: null };

let folder: string;
let monitoring: FileMonitoring;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'monitoring-'));
  monitoring = new FileMonitoring(join(folder, 'state'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('what is kept for monitoring', () => {
  it('is nothing at first', async () => {
    expect(await monitoring.figures()).toEqual([]);
    expect(await monitoring.toldOverdue()).toEqual([]);
    await monitoring.keepFigures(shop, undefined);
  });

  it('is found again, and forgotten when asked to', async () => {
    await monitoring.keepFigures(shop, figures);
    await monitoring.keepToldOverdue(['shop/a1b2']);
    expect(await monitoring.figures()).toEqual([figures]);
    expect(await monitoring.toldOverdue()).toEqual(['shop/a1b2']);
    await monitoring.keepFigures(shop, undefined);
    expect(await monitoring.figures()).toEqual([]);
  });

  it('is begun anew where it is damaged', async () => {
    await monitoring.keepFigures(shop, figures);
    await monitoring.keepToldOverdue([]);
    writeFileSync(join(folder, 'state/services/shop/figures.json'), '{');
    writeFileSync(join(folder, 'state/overdue.json'), '{"a":1}');
    expect(await monitoring.figures()).toEqual([]);
    expect(await monitoring.toldOverdue()).toEqual([]);
  });
});

describe('the textfile', () => {
  it('is there whole, for everybody to read, and nothing beside it', async () => {
    const before = process.umask(0o077);
    await monitoring.publish(folder, 'a\n');
    await monitoring.publish(folder, 'b\n');
    process.umask(before);
    expect(readFileSync(join(folder, 'pgbackup.prom'), 'utf8')).toBe('b\n');
    expect(statSync(join(folder, 'pgbackup.prom')).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(['pgbackup.prom']);
  });

  it('fails with the path when the directory is not there', async () => {
    await expect(monitoring.publish(join(folder, 'missing'), '')).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringContaining('missing/pgbackup.prom'),
    });
  });
});
