/** What a pg_dump wrote, once every wrapping around it is taken off. */
export type DumpFormat = 'custom' | 'tar' | 'sql';

/** A wrapping around a dump, outermost first. */
export type Wrapping = 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'tar' | 'age' | 'gpg';

/** A dump found in a file, its kind read from the bytes and never from the name. */
export interface InspectedSource {
  readonly format: DumpFormat;
  readonly wrappings: readonly Wrapping[];
  /** The member inside a tar archive that holds the dump (`backup/export` in dokku-postgres's). */
  readonly member: string | undefined;
  /** Size of the file as it lies, in bytes; undefined where it is not known before it is read. */
  readonly size: number | undefined;
  /** True when it is a file of this host, and itself the dump (no wrapping), so that pg_restore may seek in it. */
  readonly bare: boolean;
}

/** What reading a plain SQL dump to its end showed. */
export interface SqlReport {
  /** Tables that it makes. */
  readonly tables: number;
  /** It begins as pg_dump's output does. */
  readonly fromPgDump: boolean;
  /** pg_dump's closing line was there. Half a dump restores without an error, so this is the only proof. */
  readonly complete: boolean;
  /** Statements and commands left out since they would leave the scratch database, one line each. */
  readonly contained: readonly string[];
  /** Roles that its GRANT and OWNER statements name. */
  readonly roles: readonly string[];
  /** Extensions that it creates. */
  readonly extensions: readonly string[];
  /** Major version of the server it was dumped from, where its header says so. */
  readonly serverMajor: number | undefined;
}
