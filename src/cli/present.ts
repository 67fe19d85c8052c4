import { wallClock } from '../domain/zone.ts';
import { totalRows, type AppRevision, type Manifest } from '../domain/manifest.ts';
import { formatBytes, formatTables, formatCount, formatTime } from '../domain/format.ts';

/** `4.2 s`, `3 min 20 s`. */
export function formatSeconds(seconds: number): string {
  // Rounded first: 59.97 s must become a minute, not 60 seconds.
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A moment as the clocks of a zone show it: `2026-11-20 03:15 GMT+1`. */
export function formatLocalTime(moment: Date, timeZone: string): string {
  const shown = new Date(wallClock(moment.getTime(), timeZone)).toISOString();
  const zone = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'short' })
    .formatToParts(moment)
    .find(({ type }) => type === 'timeZoneName');
  return `${shown.slice(0, 16).replace('T', ' ')} ${zone?.value ?? timeZone}`;
}

/** The code an app ran: commit, branch, when it was deployed, and where the commit was learnt. */
export function formatRevision(app: AppRevision): string {
  const deployed = app.lastUpdatedAt === null ? '' : `, deployed ${formatTime(app.lastUpdatedAt)}`;
  const branch = app.deployBranch === null ? '' : ` on ${app.deployBranch}`;
  return app.sha === null
    ? `${app.name} at an unknown commit${branch}${deployed}`
    : `${app.name} at ${app.sha}${branch}${deployed} (from ${app.shaSource ?? 'unknown'})`;
}

/** Size of a backup and what it was made from. */
export function formatSize({ archive, databaseBytes }: Manifest): string {
  const ratio = archive.storedBytes === 0 ? '' : `, ratio ${(databaseBytes / archive.storedBytes).toFixed(1)}`;
  return `${formatBytes(archive.storedBytes)} (database ${formatBytes(databaseBytes)}${ratio})`;
}

/** Rows and tables. */
export function formatRows({ rows, largeObjects }: Manifest): string {
  const objects = largeObjects === 0 ? '' : `, ${formatCount(largeObjects)} large ${largeObjects === 1 ? 'object' : 'objects'}`;
  return `${formatCount(totalRows(rows))} in ${formatTables(rows.length)}${objects}`;
}

/** `k=v, k=v`, or a dash. */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return (
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ') || '-'
  );
}

/** To whom an archive is encrypted. */
export function formatEncryption(encryption: Manifest['archive']['encryption']): string {
  if (encryption === null) return 'no';
  if (encryption.passphrase) return `with a passphrase (${encryption.scheme})`;
  return `to ${encryption.recipients.map((one) => (one.length > 70 ? `${one.slice(0, 30)}…` : one)).join(', ')} (${encryption.scheme})`;
}
