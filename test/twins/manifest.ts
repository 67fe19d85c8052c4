import type { Manifest } from '../../src/domain/manifest.ts';
import { contentOf, databaseOf } from './content.ts';

/** A valid manifest, with every kind of field in it. */
export function exampleManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    manifestVersion: 1,
    id: 'shop-20261120T031500Z-k3f9',
    host: 'host-a',
    tool: { name: 'dokku-pgbackup', version: '0.1.0' },
    service: { name: 'shop', image: 'postgres:18.4' },
    server: { version: '18.4', major: 18 },
    database: {
      ...databaseOf('shop', contentOf('old', 562)).properties,
      settings: [{ role: null, name: 'search_path', value: 'public, "Odd schema"' }],
      grants: [{ grantee: null, privilege: 'CONNECT', grantable: false }],
    },
    databaseBytes: 8_066_751,
    extensions: [{ name: 'pgcrypto', version: '1.4', schema: 'public' }],
    roles: ['postgres', 'reader'],
    apps: [
      {
        name: 'web',
        sha: '273c289c47047bea84ff9cd1ab2d4334ea74b838',
        shaSource: 'config',
        deployBranch: 'main',
        lastUpdatedAt: '2026-11-20T03:00:00.000Z',
      },
    ],
    labels: { level: '1200' },
    note: 'before the migration',
    schemas: [],
    startedAt: '2026-11-20T03:15:00.000Z',
    finishedAt: '2026-11-20T03:15:04.000Z',
    archive: {
      file: 'archive.dump',
      format: 'custom',
      compression: 'zstd:3',
      wrapping: null,
      plainBytes: 6298,
      plainSha256: 'a'.repeat(64),
      storedBytes: 6298,
      storedSha256: 'b'.repeat(64),
      encryption: null,
    },
    rows: [{ schema: 'public', table: 'users', rows: 562 }],
    largeObjects: 1,
    provenAt: '2026-11-20T03:15:04.000Z',
    ...changes,
  };
}
