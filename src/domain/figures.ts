import * as v from 'valibot';

const moment = v.nullable(v.pipe(v.string(), v.isoTimestamp()));
const count = v.pipe(v.number(), v.minValue(0));

const schema = v.object({
  service: v.string(),
  backups: count,
  /** When the newest proven backup of the whole database was begun and finished. */
  startedAt: moment,
  finishedAt: moment,
  storedBytes: v.nullable(count),
  /** Start of the newest one in each storage. */
  newestIn: v.record(v.string(), v.pipe(v.string(), v.isoTimestamp())),
  /** When a backup last failed. */
  failedAt: moment,
});

/** What the textfile tells of one service. Kept on disk, so that the backup of one service need not look at the storages of all. */
export type ServiceFigures = v.InferOutput<typeof schema>;

/** undefined: it cannot be read, and is made anew by the next operation. */
export function parseFigures(text: string): ServiceFigures | undefined {
  try {
    return v.parse(schema, JSON.parse(text));
  } catch {
    return undefined;
  }
}
