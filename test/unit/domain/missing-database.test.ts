import { describe, expect, test } from 'vitest';
import type { DatabaseProperties } from '../../../src/domain/manifest.ts';
import { propertiesOfMissing } from '../../../src/domain/missing-database.ts';

const template: DatabaseProperties = {
  name: 'template1',
  owner: 'postgres',
  encoding: 'UTF8',
  collate: 'en_US.utf8',
  ctype: 'en_US.utf8',
  localeProvider: 'c',
  locale: null,
  icuRules: null,
  tablespace: 'pg_default',
  connectionLimit: -1,
  comment: 'default template for new databases',
  settings: [],
  grants: [{ grantee: null, privilege: 'CONNECT', grantable: false }],
};
const backup: DatabaseProperties = {
  ...template,
  name: 'shop',
  owner: 'alice',
  collate: 'xx_XX',
  comment: 'the shop',
  connectionLimit: 7,
  settings: [
    { role: null, name: 'work_mem', value: '8MB' },
    { role: 'gone', name: 'work_mem', value: '1MB' },
  ],
  grants: [
    { grantee: 'gone', privilege: 'CONNECT', grantable: false },
    { grantee: 'alice', privilege: 'CONNECT', grantable: true },
  ],
};

describe('properties of a database that is not there', () => {
  test('a backup gives what is its own, the template encoding and locale', () => {
    expect(propertiesOfMissing('shop', template, backup, ['postgres', 'alice'])).toEqual({
      ...template,
      name: 'shop',
      owner: 'alice',
      comment: 'the shop',
      connectionLimit: 7,
      settings: [{ role: null, name: 'work_mem', value: '8MB' }],
      grants: [{ grantee: 'alice', privilege: 'CONNECT', grantable: true }],
    });
  });

  test('an owner that is not on the server gives way to that of the template', () => {
    expect(propertiesOfMissing('shop', template, backup, ['postgres']).owner).toBe('postgres');
  });

  test('without a backup nothing of the template but encoding, locale and owner is taken over', () => {
    expect(propertiesOfMissing('shop', template, undefined, ['postgres'])).toEqual({
      ...template,
      name: 'shop',
      comment: null,
      grants: null,
    });
  });
});
