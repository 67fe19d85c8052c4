import { describe, expect, it } from 'vitest';
import { planAdoption, type AdoptFacts, type AdoptPlan, type AdoptWishes } from '../../../src/domain/adopt-plan.ts';
import type { LegacyBackup } from '../../../src/domain/legacy-backup.ts';
import { parseServiceName } from '../../../src/domain/names.ts';
import { s3Defaults, type S3Config } from '../../../src/domain/s3-config.ts';
import { parseStorageName } from '../../../src/domain/storage-name.ts';
import { shop } from '../../twins/world.ts';

const keys = { accessKeyId: 'AKIATHEIRS', secretAccessKey: 'their-secret' };
const legacy: LegacyBackup = {
  keys,
  region: 'eu-west-2',
  endpoint: undefined,
  signatureVersion: undefined,
  passphrase: undefined,
  publicKey: undefined,
  crontab: '…',
};
const schedule = { cron: '0 3 * * *', bucket: 'bucket', prefix: '', oddSlashes: false, iam: false };
const facts: AdoptFacts = {
  service: shop,
  legacy,
  schedule,
  cron: '0 3 * * *',
  storages: [],
  own: new Map(),
  global: new Map(),
  encryption: undefined,
  localBackups: 0,
};
const wishes: AdoptWishes = { storage: undefined, region: undefined, recipients: [], withoutEncryption: false, keepOld: false };
const there: S3Config = { ...s3Defaults, bucket: 'bucket', region: 'eu-west-2' };
const recipient = `age1${'q'.repeat(58)}`;
const named = parseStorageName;

function plan(changes: Partial<AdoptFacts> = {}, wanted: Partial<AdoptWishes> = {}): AdoptPlan {
  return planAdoption({ ...facts, ...changes }, { ...wishes, ...wanted });
}

const withLegacy = (changes: Partial<LegacyBackup>): Partial<AdoptFacts> => ({ legacy: { ...legacy, ...changes } });

describe('the storage', () => {
  it.each<[string, Partial<AdoptFacts>, Partial<AdoptWishes>, Partial<S3Config>]>([
    [
      'the bucket at Amazon',
      {},
      {},
      { bucket: 'bucket', prefix: '', region: 'eu-west-2', endpoint: null, pathStyle: false, auth: { kind: 'keys' } },
    ],
    ['the path of the bucket as its prefix', { schedule: { ...schedule, prefix: 'db/prod' } }, {}, { prefix: 'db/prod' }],
    ['us-east-1 where there is no region, as the AWS CLI has it', withLegacy({ region: undefined }), {}, { region: 'us-east-1' }],
    ['the region that is given', withLegacy({ region: undefined }), { region: 'eu-west-2' }, { region: 'eu-west-2' }],
    [
      'another server with path style',
      withLegacy({ endpoint: 'https://minio.example.com/' }),
      {},
      { endpoint: 'https://minio.example.com', pathStyle: true },
    ],
    ['the IAM role where the schedule asks for it', { schedule: { ...schedule, iam: true } }, {}, { auth: { kind: 'iam' } }],
    [
      'the IAM role without any keys',
      { ...withLegacy({ keys: undefined }), schedule: { ...schedule, iam: true } },
      {},
      { auth: { kind: 'iam' } },
    ],
  ])('is %s', (_, changes, wanted, config) => {
    const { storage } = plan(changes, wanted);
    expect(storage).toMatchObject({ name: 'shop-s3', config, make: true, writeKeys: storage.config.auth.kind === 'keys' });
  });

  it.each([
    ['shop', 'shop-s3'],
    ['My_Shop', 'my-shop-s3'],
    ['_x', 'x-s3'],
    ['a'.repeat(60), `${'a'.repeat(29)}-s3`],
    ['___', 'dokku-postgres-s3'],
  ])('of %s is called %s', (service, name) => {
    expect(plan({ service: parseServiceName(service) }).storage.name).toBe(name);
  });

  it('is the one of that name where that leads there: an adoption can be repeated', () => {
    const before = { name: named('shop-s3'), config: there, keyId: undefined };
    expect(plan({ storages: [before] }).storage).toMatchObject({ name: 'shop-s3', make: false, writeKeys: true });
    expect(plan({ storages: [{ ...before, keyId: 'AKIATHEIRS' }] }).storage).toMatchObject({ make: false, writeKeys: false });
  });

  it('keeps what else was chosen for it', () => {
    const chosen: S3Config = { ...there, storageClass: 'STANDARD_IA', region: 'eu-west-1' };
    const storages = [{ name: named('shop-s3'), config: chosen, keyId: 'AKIAOTHER' }];
    // Where dokku-postgres has no region, the one that works is the operator's.
    expect(plan({ ...withLegacy({ region: undefined }), storages }).storage).toEqual({
      name: 'shop-s3',
      config: chosen,
      make: false,
      writeKeys: false,
    });
  });

  it('of another service is used where it leads there with the same keys', () => {
    const blogs = { name: named('blog-s3'), config: there, keyId: 'AKIATHEIRS' };
    expect(plan({ storages: [blogs] }).storage).toMatchObject({ name: 'blog-s3', make: false });
    expect(plan({ storages: [{ ...blogs, keyId: 'AKIAOTHER' }] }).storage).toMatchObject({ name: 'shop-s3', make: true });
    expect(plan({ storages: [blogs] }, { storage: named('mine') }).storage).toMatchObject({ name: 'mine', make: true });
  });

  it.each<[string, S3Config | undefined]>([
    ['another bucket', { ...there, bucket: 'other' }],
    ['another prefix', { ...there, prefix: 'x' }],
    ['another region', { ...there, region: 'us-east-1' }],
    ['another server', { ...there, endpoint: 'https://s3.example.com', pathStyle: true }],
    ['the IAM role', { ...there, auth: { kind: 'iam' } }],
    ['nowhere, since it is damaged', undefined],
  ])('is refused where one of that name leads to %s', (_, config) => {
    const storages = [{ name: named('shop-s3'), config, keyId: undefined }];
    expect(() => plan({ storages })).toThrow(
      expect.objectContaining({ code: 'refused', hint: expect.stringMatching(/--storage <name>.*storage-destroy shop-s3/) }),
    );
  });

  it.each<[string, Partial<AdoptFacts>]>([
    ['a schedule without keys, whose backups fail', withLegacy({ keys: undefined })],
    ['a bucket that none can be', { schedule: { ...schedule, bucket: 's3:' } }],
    ['an endpoint that is none', withLegacy({ endpoint: 'minio.example.com' })],
    ['a region that is none', withLegacy({ region: 'EU West' })],
  ])('is refused for %s, with what to type', (_, changes) => {
    expect(() => plan(changes)).toThrow(
      expect.objectContaining({ code: 'refused', hint: expect.stringMatching(/storage-create.*backup-unschedule shop/) }),
    );
  });

  it('cannot be local', () => {
    expect(() => plan({}, { storage: named('local') })).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('the setting of storages', () => {
  const own = (storages: string): Partial<AdoptFacts> => ({ own: new Map([['storages', storages]]) });
  it.each<[string, Partial<AdoptFacts>, string | undefined, string]>([
    ['is the new one alone where nobody has chosen', {}, 'shop-s3', 'shop-s3 alone'],
    ["has it added to the service's own", own('local,offsite'), 'local,offsite,shop-s3', 'is added'],
    ['has it added to that for all', { global: new Map([['storages', 'offsite']]) }, 'offsite,shop-s3', 'is added'],
    ['stays as it is where it names it', own('shop-s3'), undefined, 'shop-s3, as is set'],
  ])('%s', (_, changes, value, told) => {
    const made = plan(changes);
    expect(made.storages).toBe(value);
    expect(Object.fromEntries(made.lines)['Backups go to']).toContain(told);
  });

  it('tells of backups in local that will no longer be listed', () => {
    expect(plan({ localBackups: 3 }).warnings.join()).toContain('3 backups of shop in local will not be listed');
    expect(plan({ localBackups: 3, ...own('local') }).warnings).toEqual([]);
  });
});

describe('encryption', () => {
  const now = (kind: 'recipients' | 'passphrase', own = true): Partial<AdoptFacts> => ({ encryption: { kind, own } });
  const theirs = withLegacy({ passphrase: 'their long passphrase' });
  const gpg = withLegacy({ publicKey: '0xDEADBEEF' });
  it.each<[string, Partial<AdoptFacts>, Partial<AdoptWishes>, AdoptPlan['encryption']]>([
    ['none where they have none', {}, {}, { kind: 'none' }],
    ['by their passphrase', theirs, {}, { kind: 'passphrase', take: true }],
    ['by the passphrase that is set here', { ...theirs, ...now('passphrase') }, {}, { kind: 'passphrase', take: false }],
    ['to the recipients that are set here', { ...theirs, ...now('recipients') }, {}, { kind: 'recipients', set: undefined }],
    ['to those also where they have a public key', { ...gpg, ...now('recipients') }, {}, { kind: 'recipients', set: undefined }],
    ['to the recipients that are given', theirs, { recipients: [recipient] }, { kind: 'recipients', set: recipient }],
    ['to those in place of a public key', gpg, { recipients: [recipient] }, { kind: 'recipients', set: recipient }],
    [
      'to those in place of what is set for all',
      now('passphrase', false),
      { recipients: [recipient] },
      { kind: 'recipients', set: recipient },
    ],
    ['none if it shall be so', theirs, { withoutEncryption: true }, { kind: 'none' }],
    ['none in place of a public key if it shall be so', gpg, { withoutEncryption: true }, { kind: 'none' }],
  ])('is %s', (_, changes, wanted, encryption) => {
    expect(plan(changes, wanted).encryption).toEqual(encryption);
  });

  it('to a public key of gpg is refused, also where there is a passphrase, and what to give in its place is told', () => {
    for (const changes of [gpg, withLegacy({ publicKey: '0xDEADBEEF', passphrase: 'their long passphrase' })]) {
      expect(() => plan(changes)).toThrow(
        expect.objectContaining({
          code: 'refused',
          message: expect.stringContaining('0xDEADBEEF'),
          hint: expect.stringMatching(/--recipients age1.*--without-encryption/s),
        }),
      );
    }
  });

  it('by a passphrase that is too short is refused, and the passphrase not told', () => {
    const failure = (): AdoptPlan => plan(withLegacy({ passphrase: 's3cret-pass' }));
    expect(failure).toThrow(expect.objectContaining({ code: 'refused', hint: expect.stringContaining('pgbackup:set shop passphrase -') }));
    expect(failure).not.toThrow(/s3cret-pass/);
  });

  it.each<[string, Partial<AdoptFacts>, Partial<AdoptWishes>]>([
    ['both ways', {}, { recipients: [recipient], withoutEncryption: true }],
    ['none against a setting', now('recipients'), { withoutEncryption: true }],
    ["to recipients against the service's own passphrase", now('passphrase'), { recipients: [recipient] }],
  ])('wanted %s is refused', (_, changes, wanted) => {
    expect(() => plan(changes, wanted)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('that ends is told', () => {
    expect(plan(theirs, { withoutEncryption: true }).warnings.join()).toContain('will not be encrypted');
  });
});

describe('what a person is told', () => {
  it('is every step, in words, and what becomes of the old', () => {
    const { lines, warnings } = plan({ ...withLegacy({ passphrase: 'their long passphrase' }) });
    expect(Object.fromEntries(lines)).toEqual({
      Storage: 'shop-s3 (new): s3://bucket in eu-west-2, with the keys of dokku-postgres (AKIATHEIRS)',
      'Backups go to': 'shop-s3 alone: dokku-postgres kept nothing on this host',
      Encryption: 'age, with the passphrase that dokku-postgres gives to gpg',
      Schedule: '"0 3 * * *", by the clock of this host as before',
      'First backup': 'now; the old schedule stays unless it is stored and proven',
      'Old schedule': 'is removed then: dokku postgres:backup-unschedule shop',
      'Old backups': 'stay where they are; dokku pgbackup:list shop shows them, and they restore by their address',
    });
    expect(warnings).toEqual([]);
  });

  it.each<[string, Partial<AdoptFacts>, Partial<AdoptWishes>, string]>([
    ['a region that is a guess', withLegacy({ region: undefined }), {}, '--region <region>'],
    ['old signatures', withLegacy({ signatureVersion: 's3' }), {}, 'version 4'],
    ['paths that listing does not find', { schedule: { ...schedule, oddSlashes: true } }, {}, 'are not listed'],
    ['two schedules', {}, { keepOld: true }, 'backed up twice'],
    ['what is not encrypted on its way', withLegacy({ endpoint: 'http://10.0.0.1:9000' }), {}, 'not encrypted'],
  ])('is %s, as a warning', (_, changes, wanted, told) => {
    expect(plan(changes, wanted).warnings.join('\n')).toContain(told);
  });

  it('holds no secret (pitfall 49)', () => {
    const text = JSON.stringify(plan(withLegacy({ passphrase: 'their long passphrase' })));
    expect(text).not.toContain('their-secret');
    expect(text).not.toContain('their long passphrase');
  });
});
