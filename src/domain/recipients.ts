import { PgbackupError } from './errors.ts';

/** A public key of age: X25519, or post-quantum (ML-KEM-768 with X25519). */
const ORDINARY = /^age1[02-9ac-hj-np-z]{58}$/;
const POST_QUANTUM = /^age1pq1[02-9ac-hj-np-z]{1900,2000}$/;
const SECRET = /secret-key|private key/i;

const MAKE_KEY = 'Make a key away from this host, and give its public part: age-keygen -o key.txt';

/**
 * The recipients of a setting's value: public keys of age, separated by commas or spaces, each once.
 * Whether a key's checksum is right is for `Encryption.checkRecipients` to say.
 * @throws PgbackupError usage, for what is no recipient. A secret key given by mistake is not repeated.
 */
export function parseRecipients(value: string): readonly string[] {
  // Asked of the whole first: split at its spaces, a private key would no longer look like one.
  refuseSecrets(value);
  // The first words of an SSH public key are one recipient, with spaces in it.
  if (/(?:^|[\s,])(?:ssh|ecdsa|sk)-[a-z0-9-]+/.test(value)) {
    throw new PgbackupError('usage', 'SSH keys cannot be recipients: the age library of this program knows none', { hint: MAKE_KEY });
  }
  const words = value.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 0) throw new PgbackupError('usage', 'No recipient is given', { hint: MAKE_KEY });
  const recipients = [...new Set(words.map(parseRecipient))];
  const quantum = recipients.filter((recipient) => POST_QUANTUM.test(recipient)).length;
  // As age itself has it: whoever breaks the weakest of the keys reads the backup.
  if (quantum > 0 && quantum < recipients.length) {
    throw new PgbackupError('usage', 'Post-quantum recipients (age1pq1…) and ordinary ones cannot be mixed', {
      hint: 'The ordinary ones would undo what the others are for: give keys of one kind',
    });
  }
  return recipients;
}

function parseRecipient(word: string): string {
  // Bech32 is also right in capitals, as QR codes have it. Age writes and reads small letters only.
  const recipient = /^AGE1[A-Z0-9]+$/.test(word) ? word.toLowerCase() : word;
  if (ORDINARY.test(recipient) || POST_QUANTUM.test(recipient)) return recipient;
  const plugin = /^age1([a-z0-9]+)1[a-z0-9]+$/.exec(recipient)?.[1];
  if (plugin !== undefined && plugin !== 'pq') {
    throw new PgbackupError(
      'usage',
      `"${shortened(recipient)}" is a recipient of an age plugin or of hardware (${plugin}), which cannot be restored from here`,
      {
        hint: MAKE_KEY,
      },
    );
  }
  if (recipient.startsWith('age1')) {
    throw new PgbackupError(
      'usage',
      `"${shortened(recipient)}" is not a whole recipient: ${recipient.length} characters, where 62 are expected`,
      {
        hint: 'Copy it again: the line "# public key:" of the identity file has it, and age-keygen -y key.txt prints it',
      },
    );
  }
  if (/^github:|^https?:|^[./~]/.test(recipient)) {
    throw new PgbackupError('usage', `"${shortened(recipient)}" is not a recipient: give the key itself`, { hint: MAKE_KEY });
  }
  // No more of it: it may be a passphrase that was given by mistake.
  throw new PgbackupError('usage', `A recipient begins with age1, and one of those given does not (it has ${word.length} characters)`, {
    hint: MAKE_KEY,
  });
}

function refuseSecrets(value: string): void {
  if (!SECRET.test(value)) return;
  throw new PgbackupError('usage', 'That is a secret key, not a recipient. It was not kept, but may stand in the history of your shell', {
    hint: 'Give its public part: age-keygen -y key.txt',
  });
}

function shortened(text: string): string {
  return text.length > 70 ? `${text.slice(0, 24)}…` : text;
}
