import { PgbackupError } from '../../domain/errors.ts';

const AGE_IDENTITY = /^AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]+$/;
const PGP_KEY = /-----BEGIN PGP PRIVATE KEY BLOCK-----[\s\S]*?-----END PGP PRIVATE KEY BLOCK-----/g;
const MAKE_KEY = 'An identity file is what this makes: age-keygen -o key.txt';

/** Whether a key of a keyring is for gpg, and not for age. */
export function isPgpKey(identity: string): boolean {
  return identity.startsWith('-----BEGIN PGP PRIVATE KEY BLOCK-----');
}

/**
 * The secret keys in the text of an identity file: age's lines, and armored secret keys of gpg.
 * @throws PgbackupError usage. No message holds anything of the text.
 */
export async function parseIdentities(text: string): Promise<readonly string[]> {
  const pgp = (text.match(PGP_KEY) ?? []).map((block) => `${block}\n`);
  const rest = text.replace(PGP_KEY, '');
  refuseOtherKinds(rest);
  const found: string[] = [...pgp];
  for (const [index, raw] of rest.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (!AGE_IDENTITY.test(line)) throw notAnIdentity(index + 1, line);
    await recipientOf(line).catch((cause: unknown) => {
      // The cause may quote what it cannot read.
      void cause;
      throw new PgbackupError(
        'usage',
        `Line ${index + 1} of the identity file is not a whole secret key: a character is wrong or missing`,
        {
          hint: 'Copy the file again',
        },
      );
    });
    found.push(line);
  }
  if (found.length === 0) throw new PgbackupError('usage', 'The identity file holds no secret key', { hint: MAKE_KEY });
  return [...new Set(found)];
}

/** The public key of one age identity. */
export async function recipientOf(identity: string): Promise<string> {
  const { identityToRecipient } = await import('age-encryption');
  return identityToRecipient(identity);
}

function refuseOtherKinds(text: string): void {
  const start = text.trimStart();
  if (start.startsWith('age-encryption.org/') || start.startsWith('-----BEGIN AGE ENCRYPTED FILE-----')) {
    throw new PgbackupError('usage', 'The identity file is itself encrypted with a passphrase', {
      hint: 'Decrypt it on the way: age -d key.txt.age | dokku pgbackup:restore <target> <source> --confirm <target> --identity -',
    });
  }
  if (/-----BEGIN (?:OPENSSH|RSA|EC|DSA)? ?PRIVATE KEY-----/.test(text)) {
    throw new PgbackupError('usage', 'SSH keys are not known to the age library of this program', {
      hint: 'Decrypt the file first: age -d -i <ssh key> <file> | dokku pgbackup:restore <target> - --confirm <target>',
    });
  }
}

function notAnIdentity(line: number, text: string): PgbackupError {
  if (text.startsWith('age1')) {
    return new PgbackupError('usage', `Line ${line} of the identity file is a recipient, a public key: it opens nothing`, {
      hint: MAKE_KEY,
    });
  }
  if (text.startsWith('AGE-PLUGIN-')) {
    return new PgbackupError('usage', `Line ${line} of the identity file is of an age plugin, and no plugin is run here`, {
      hint: 'Decrypt the file first: age -d -i <identity> <file> | dokku pgbackup:restore <target> - --confirm <target>',
    });
  }
  return new PgbackupError('usage', `Line ${line} of the identity file is not a secret key of age: those begin with AGE-SECRET-KEY-1`, {
    hint: MAKE_KEY,
  });
}
