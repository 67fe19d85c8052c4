/** `1,234,567`. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** Bytes for people: `42 B`, `1.5 MB`; powers of 1000, as disks are sold and S3 is billed. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** `1 table`, `42 tables`. */
export function formatTables(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'table' : 'tables'}`;
}

/** How long a swap took the database away, in ms; null: it is not known, undefined: there was none. */
export function formatGap(gap: number | null | undefined): string {
  if (gap === undefined) return 'there was no database before';
  return gap === null ? 'not known' : `${Math.round(gap)} ms without the database`;
}

/** Time between two moments in its two largest units: `3 h 20 min`. */
export function formatAge(now: Date, then: Date): string {
  const minutes = Math.max(0, Math.floor((now.getTime() - then.getTime()) / 60_000));
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor((minutes % 1440) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}

/** A UTC time as people read it: `2026-11-20 03:15:00 UTC`. */
export function formatTime(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}
