import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DokkuPostgresBackups } from '../../../src/adapters/dokku/legacy-backups.ts';
import type { Service } from '../../../src/domain/service.ts';
import { recorded, replayDokku, type Recorded } from '../../tools/recording.ts';
import { shop } from '../../twins/world.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pgbackup-legacy-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const theirs = new DokkuPostgresBackups();
const [noSchedule] = recorded('dokku postgres:backup-schedule-cat shop');
const line = '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket \n';
const nothing: Recorded = { exit: 0, out: '', err: '' };

function service(): Service {
  return {
    name: shop,
    login: { user: 'postgres', password: 'x', database: 'shop' },
    status: 'running',
    image: '',
    containerId: '',
    apps: [],
    root,
  };
}

function file(path: string, text: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe("dokku-postgres's own backups", () => {
  it('are none where neither files nor a schedule are there', async () => {
    using _ = replayDokku({ 'postgres:backup-schedule-cat shop': noSchedule });
    expect(await theirs.read(service())).toBeUndefined();
  });

  it('are read as they lie: keys, place, encryption, schedule', async () => {
    using _ = replayDokku({ 'postgres:backup-schedule-cat shop': { ...nothing, out: line } });
    file('backup/AWS_ACCESS_KEY_ID', 'KEY\n');
    file('backup/AWS_SECRET_ACCESS_KEY', 'SE/CRET+=\n');
    file('backup/AWS_DEFAULT_REGION', 'us-east-1\n');
    file('backup/AWS_SIGNATURE_VERSION', 's3v4\n');
    file('backup/ENDPOINT_URL', 'https://minio.example.com\n');
    file('backup-encryption/ENCRYPTION_KEY', ' a pass phrase \n');
    file('backup-encryption/ENCRYPT_WITH_PUBLIC_KEY_ID', '0xDEADBEEF\n');
    expect(await theirs.read(service())).toEqual({
      keys: { accessKeyId: 'KEY', secretAccessKey: 'SE/CRET+=' },
      region: 'us-east-1',
      signatureVersion: 's3v4',
      endpoint: 'https://minio.example.com',
      passphrase: ' a pass phrase ',
      publicKey: '0xDEADBEEF',
      crontab: line,
    });
  });

  it('may have a schedule without keys (IAM): an empty file is none', async () => {
    using _ = replayDokku({ 'postgres:backup-schedule-cat shop': { ...nothing, out: line } });
    file('backup/AWS_ACCESS_KEY_ID', '\n');
    file('backup/AWS_SECRET_ACCESS_KEY', '');
    expect(await theirs.read(service())).toMatchObject({ keys: undefined, crontab: line });
  });

  it('may have keys without a schedule', async () => {
    using _ = replayDokku({ 'postgres:backup-schedule-cat shop': noSchedule });
    file('backup/AWS_ACCESS_KEY_ID', 'KEY\n');
    file('backup/AWS_SECRET_ACCESS_KEY', 'SECRET\n');
    expect(await theirs.read(service())).toMatchObject({ keys: { accessKeyId: 'KEY' }, crontab: undefined });
  });

  it('that cannot be read are an error and not none', async () => {
    using _ = replayDokku({ 'postgres:backup-schedule-cat shop': noSchedule });
    mkdirSync(join(root, 'backup/AWS_ACCESS_KEY_ID'), { recursive: true });
    await expect(theirs.read(service())).rejects.toMatchObject({ code: 'dokku', hint: expect.stringContaining('ls -l') });
  });

  it('whose command fails in another way are an error', async () => {
    using _ = replayDokku({});
    await expect(theirs.read(service())).rejects.toMatchObject({
      code: 'dokku',
      message: expect.stringMatching(/^dokku postgres:backup-schedule-cat shop failed \(exit 99\)/),
    });
  });

  it('end by their own command, and it is seen that they have', async () => {
    using answers = replayDokku({ 'postgres:backup-unschedule shop': nothing, 'postgres:backup-schedule-cat shop': noSchedule });
    await theirs.unschedule(shop);
    expect(answers.calls().filter(Boolean)).toEqual(['postgres:backup-unschedule shop', 'postgres:backup-schedule-cat shop']);
  });

  it('that are still there afterwards are an error', async () => {
    using _ = replayDokku({ 'postgres:backup-unschedule shop': nothing, 'postgres:backup-schedule-cat shop': { ...nothing, out: line } });
    await expect(theirs.unschedule(shop)).rejects.toMatchObject({ code: 'dokku', message: expect.stringContaining('still there') });
  });

  it('that do not end are an error', async () => {
    using _ = replayDokku({ 'postgres:backup-unschedule shop': { exit: 1, out: '', err: ' !     sudo: a password is required\n' } });
    await expect(theirs.unschedule(shop)).rejects.toMatchObject({ code: 'dokku', message: expect.stringContaining('sudo: a password') });
  });
});
