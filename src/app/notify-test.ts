import { PgbackupError } from '../domain/errors.ts';
import type { ServiceName } from '../domain/names.ts';
import { noticeRequests, type NoticeOutcome } from '../domain/notice.ts';
import { readNoticeSettings, withoutBackup, type NoticePorts } from './notices.ts';

/**
 * Calls every endpoint of a service with a test notice.
 * @throws PgbackupError usage (a setting that is broken), not-found (there is no endpoint).
 */
export async function testNotices(ports: NoticePorts, service: ServiceName): Promise<readonly NoticeOutcome[]> {
  const { settings } = await readNoticeSettings(ports, service);
  const notice = withoutBackup(ports, {
    event: 'test',
    operation: 'notify-test',
    outcome: 'test',
    service,
    message: `A test of the notices of ${service}: no backup was taken`,
  });
  const requests = noticeRequests(settings, notice, ports.notifier.version);
  if (requests.length === 0) {
    throw new PgbackupError('not-found', `Service ${service} has nobody to notify`, {
      hint: `Set one: dokku pgbackup:set ${service} heartbeat-url <address>, or webhook-url`,
    });
  }
  return ports.notifier.deliver(requests, settings.timeout);
}
