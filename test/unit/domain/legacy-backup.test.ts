import { describe, expect, it } from 'vitest';
import { parseLegacyCrontab } from '../../../src/domain/legacy-backup.ts';
import { shop } from '../../twins/world.ts';

const shops = { cron: '0 3 * * *', bucket: 'bucket', prefix: '', oddSlashes: false, iam: false };

describe("dokku-postgres's schedule", () => {
  it.each<[string, string, Partial<typeof shops>]>([
    ['as it is written', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket \n', {}],
    [
      'with the IAM role, as a production app has it',
      '30 14 * * * dokku /usr/bin/dokku postgres:backup shop sportfin-prod-database-backups --use-iam\n',
      { cron: '30 14 * * *', bucket: 'sportfin-prod-database-backups', iam: true },
    ],
    ['with the short flag', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket -u\n', { iam: true }],
    ['with a path in the bucket', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket/db/prod \n', { prefix: 'db/prod' }],
    ['with a slash at the end', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket/db/ \n', { prefix: 'db', oddSlashes: true }],
    ['with nothing but a slash', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket/ \n', { oddSlashes: true }],
    ['with a word for its time', '@daily dokku /usr/bin/dokku postgres:backup shop bucket \n', { cron: '@daily' }],
    ['with dokku elsewhere', '0 3 * * * dokku /usr/local/bin/dokku postgres:backup shop bucket \n', {}],
    ['with tabs', '0\t3  * * *\tdokku\tdokku\tpostgres:backup shop bucket\n', {}],
    ['with a log that somebody has added', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket >> /var/log/b.log 2>&1\n', {}],
    [
      'with comments and variables that move no time',
      '# nightly\nPATH=/usr/bin\nMAILTO=ops@example.com\n\n0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket\n',
      {},
    ],
  ])('%s is read', (_, text, changes) => {
    expect(parseLegacyCrontab(text, shop)).toEqual({ ...shops, ...changes });
  });

  it.each([
    ['empty', '', 'has no line'],
    ['of comments alone', '# 0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket\n', 'has no line'],
    ['of two lines', '0 3 * * * dokku dokku postgres:backup shop b\n0 4 * * * dokku dokku postgres:backup shop c\n', 'has 2 lines'],
    ['in another time zone', 'CRON_TZ=UTC\n0 3 * * * dokku dokku postgres:backup shop b\n', 'has 2 lines'],
    ['of another service', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop2 bucket\n', 'is not as'],
    ['with more behind it', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop bucket && curl https://ping\n', 'is not as'],
    ['with words for a bucket', '0 3 * * * dokku /usr/bin/dokku postgres:backup shop my bucket\n', 'is not as'],
    ['of words for a time', 'every day at three o clock dokku /usr/bin/dokku postgres:backup shop bucket\n', 'is not as'],
    ['of four fields', '0 3 * * dokku /usr/bin/dokku postgres:backup shop bucket\n', 'is not as'],
  ])('%s is refused and shown, with what to do', (_, text, why) => {
    expect(() => parseLegacyCrontab(text, shop)).toThrow(
      expect.objectContaining({
        code: 'refused',
        message: expect.stringContaining(why),
        hint: expect.stringContaining('dokku postgres:backup-unschedule shop'),
      }),
    );
  });
});
