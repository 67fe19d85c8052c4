import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatManifest, type Manifest, parseManifest, totalRows } from '../../../src/domain/manifest.ts';
import { exampleManifest } from '../../twins/manifest.ts';

type Path = readonly (string | number)[];

/** Every place in a value, by its path. */
function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [
    ...(at.length > 0 ? [at] : []),
    ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...at, Array.isArray(value) ? Number(key) : key])),
  ];
}

/** A copy with another value at the path; undefined takes the field away. */
function withValue(value: unknown, [head, ...rest]: Path, replacement: unknown): unknown {
  if (head === undefined) return replacement;
  const copy: Record<string | number, unknown> = Array.isArray(value) ? ([...value] as never) : { ...(value as object) };
  copy[head] = withValue(copy[head], rest, replacement);
  if (copy[head] === undefined) delete copy[head];
  return copy;
}

const messageOf = (value: unknown): string => {
  try {
    parseManifest(JSON.stringify(value), 'm.json');
  } catch (error) {
    expect(error).toHaveProperty('code', 'damaged');
    return error instanceof Error ? error.message : '';
  }
  return 'accepted';
};

describe('a manifest', () => {
  it('brings no statement of its own', () => {
    const manifest = exampleManifest();
    const privilege = "CONNECT ON DATABASE postgres TO PUBLIC; COPY (SELECT 1) TO PROGRAM 'id'; GRANT CONNECT";
    const grants = [{ grantee: null, privilege, grantable: false }];
    expect(messageOf({ ...manifest, database: { ...manifest.database, grants } })).toMatch(/database\.grants\.0\.privilege/);
  });

  it('comes back as it was written', () => {
    const manifest = exampleManifest();
    expect(parseManifest(formatManifest(manifest), 'm.json')).toEqual(manifest);
    expect(formatManifest(manifest).endsWith('}\n')).toBe(true);
  });

  it('comes back whatever names, labels and notes are in it', () => {
    const word = fc.string({ unit: 'grapheme' });
    const count = fc.maxSafeNat();
    fc.assert(
      fc.property(
        fc.record({
          note: fc.option(word),
          labels: fc
            .dictionary(fc.oneof(word, fc.constantFrom('prototype', 'constructor', 'toString')), word)
            .map((labels) => ({ ...labels })),
          roles: fc.array(word),
          schemas: fc.array(word),
          databaseBytes: count,
          largeObjects: count,
          rows: fc.array(fc.record({ schema: word, table: word, rows: count })),
          extensions: fc.array(fc.record({ name: word, version: word, schema: word })),
        }),
        (fields: Partial<Manifest>) => {
          const manifest = exampleManifest(fields);
          expect(parseManifest(formatManifest(manifest), 'm.json')).toEqual(manifest);
        },
      ),
    );
  });

  it('may hold fields that this version does not know, at every level, and loses none that it does', () => {
    const manifest = exampleManifest();
    const extended = {
      ...manifest,
      added: { later: true },
      archive: { ...manifest.archive, added: 1 },
      server: { ...manifest.server, added: [] },
    };
    const parsed = parseManifest(JSON.stringify(extended), 'm.json');
    expect(parsed).toMatchObject(manifest);
    expect(Object.keys(parsed.archive)).not.toContain('added');
  });

  const paths = pathsOf(exampleManifest());

  it('has many fields to be tried', () => expect(paths.length).toBeGreaterThan(60));

  it.each(paths.map((path) => [path.join('.'), path] as const))(
    'with a wrong %s is refused, and the message names the field',
    (_, path) => {
      // No field is an object with only a symbol of its own, so this is wrong everywhere.
      const message = messageOf(withValue(exampleManifest(), path, { wrong: { wrong: {} } }));
      expect(message).toMatch(/^The manifest m\.json is not valid: /);
      expect(message).toContain(namedPath(path));
    },
  );

  it.each(paths.filter((path) => typeof path.at(-1) === 'string' && path[0] !== 'labels').map((path) => [path.join('.'), path] as const))(
    'without %s is refused, and the message names the field',
    (_, path) => {
      expect(messageOf(withValue(exampleManifest(), path, undefined))).toContain(namedPath(path));
    },
  );

  it.each([
    ['databaseBytes', -1],
    ['databaseBytes', 1.5],
    ['largeObjects', '1'],
    ['startedAt', '2026-11-20'],
    ['finishedAt', 'yesterday'],
    ['provenAt', null],
    ['archive.plainSha256', 'A'.repeat(64)],
    ['archive.storedSha256', 'a'.repeat(63)],
    ['archive.format', 'tar'],
    ['archive.wrapping', 'gzip'],
    ['archive.encryption', 'age'],
    ['database.localeProvider', 'x'],
    ['apps.0.shaSource', 'guess'],
    ['rows.0.rows', -1],
    ['rows.0.rows', 0.5],
    ['manifestVersion', 2],
    ['manifestVersion', '1'],
  ])('with %s = %j is refused', (name, value) => {
    const path = name.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    expect(messageOf(withValue(exampleManifest(), path, value))).toContain(namedPath(path));
  });

  it.each(['../../shadow', '/etc/shadow', 'a/b', '..', '.', '', 'archive.dump\n', '-x'])(
    'whose archive lies at "%s", outside of its own folder, is refused',
    (file) => {
      const manifest = exampleManifest();
      expect(messageOf({ ...manifest, archive: { ...manifest.archive, file } })).toContain('archive.file');
    },
  );

  it.each(['archive.dump', 'archive.dump.zst', 'archive.dump.zst.age'])('may have its archive in %s', (file) => {
    const manifest = exampleManifest();
    expect(messageOf({ ...manifest, archive: { ...manifest.archive, file } })).toBe('accepted');
  });

  it.each(['null', '[]', '"text"', '1', '{}'])('that is %s is refused', (text) => {
    expect(() => parseManifest(text, 'm.json')).toThrow(/^The manifest m\.json is not valid: /);
  });

  it('that was cut off anywhere is refused', () => {
    const text = formatManifest(exampleManifest()).trimEnd();
    for (let length = 0; length < text.length; length += 1) {
      expect(() => parseManifest(text.slice(0, length), 'm.json')).toThrow(
        expect.objectContaining({ code: 'damaged', message: 'The manifest m.json is not JSON' }),
      );
    }
  });

  it('counts the rows of all its tables', () => {
    expect(totalRows([])).toBe(0);
    expect(
      totalRows([
        { schema: 'a', table: 'b', rows: 560 },
        { schema: 'a', table: 'c', rows: 2 },
      ]),
    ).toBe(562);
  });
});

/** As the message shows it: the rows are checked as a whole, since there may be a hundred thousand of them; so are the labels. */
function namedPath(path: Path): string {
  return path[0] === 'rows' || path[0] === 'labels' ? path[0] : path.join('.');
}
