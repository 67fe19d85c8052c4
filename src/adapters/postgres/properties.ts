import type { DatabaseProperties } from '../../domain/manifest.ts';
import { identifier, literal } from './quote.ts';
import type { Session } from './session.ts';

/** The statement that makes an empty database of the same encoding, locale, tablespace and owner. */
export function createStatement(name: string, like: DatabaseProperties, serverMajor: number): string {
  const locale = like.locale === null ? '' : literal(like.locale);
  // template0 alone may be copied into another encoding or locale, and holds nothing that somebody added.
  return [
    `CREATE DATABASE ${identifier(name)} TEMPLATE template0 OWNER ${identifier(like.owner)}`,
    `ENCODING ${literal(like.encoding)} LC_COLLATE ${literal(like.collate)} LC_CTYPE ${literal(like.ctype)}`,
    // Said, since the template's may be another; older servers know only this one, and not the word.
    ...(like.localeProvider === 'c' && serverMajor >= 15 ? ['LOCALE_PROVIDER libc'] : []),
    ...(like.localeProvider === 'i' ? [`LOCALE_PROVIDER icu ICU_LOCALE ${locale}`] : []),
    ...(like.localeProvider === 'i' && like.icuRules !== null ? [`ICU_RULES ${literal(like.icuRules)}`] : []),
    ...(like.localeProvider === 'b' ? [`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${locale}`] : []),
    `TABLESPACE ${identifier(like.tablespace)}`,
  ].join(' ');
}

/**
 * Gives the database everything that is keyed on a database and so would stay behind with the old one.
 * @throws PgbackupError postgres, with nothing applied.
 */
export async function applyProperties(session: Session, name: string, like: DatabaseProperties): Promise<void> {
  const target = `DATABASE ${identifier(name)}`;
  await session.run('BEGIN');
  try {
    await session.run(`ALTER ${target} OWNER TO ${identifier(like.owner)}`);
    await session.run(`ALTER ${target} CONNECTION LIMIT ${like.connectionLimit}`);
    await session.run(`COMMENT ON ${target} IS ${like.comment === null ? 'NULL' : literal(like.comment)}`);
    await applyGrants(session, target, like);
    for (const setting of like.settings) await applySetting(session, name, setting);
    await session.run('COMMIT');
  } catch (error) {
    await session.run('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function applyGrants(session: Session, target: string, like: DatabaseProperties): Promise<void> {
  if (like.grants === null) return;
  await session.run(`REVOKE ALL ON ${target} FROM PUBLIC`);
  for (const grant of like.grants) {
    const who = grant.grantee === null ? 'PUBLIC' : identifier(grant.grantee);
    await session.run(`GRANT ${grant.privilege} ON ${target} TO ${who}${grant.grantable ? ' WITH GRANT OPTION' : ''}`);
  }
}

async function applySetting(session: Session, name: string, setting: DatabaseProperties['settings'][number]): Promise<void> {
  const whose =
    setting.role === null ? `ALTER DATABASE ${identifier(name)}` : `ALTER ROLE ${identifier(setting.role)} IN DATABASE ${identifier(name)}`;
  // The stored text of a list (search_path) is quoted already and must not be quoted as a whole again: set it
  // as text in this transaction, and let the server take it over from there.
  await session.run('SAVEPOINT setting');
  try {
    await session.run(`SELECT set_config(${literal(setting.name)}, ${literal(setting.value)}, true)`);
    await session.run(`${whose} SET ${identifier(setting.name)} FROM CURRENT`);
  } catch {
    // Some can be set for a database but not in a session (log_connections): none of them is a list.
    await session.run('ROLLBACK TO SAVEPOINT setting');
    await session.run(`${whose} SET ${identifier(setting.name)} TO ${literal(setting.value)}`);
  }
  await session.run('RELEASE SAVEPOINT setting');
}
