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
  await session.run(`${whose} SET ${identifier(setting.name)} TO ${settingValue(setting.name, setting.value)}`);
}

/** The settings whose stored text is a list of quoted names: each must be given alone (variable_is_guc_list_quote in pg_dump). */
const lists = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** A value as SET takes it, from the text that pg_db_role_setting keeps. */
export function settingValue(name: string, stored: string): string {
  if (!lists.has(name.toLowerCase())) return literal(stored);
  const names = [...stored.matchAll(/\s*("(?:[^"]|"")*"|[^",\s][^,]*?)\s*(?:,|$)/g)].map(([, element = '']) =>
    element.startsWith('"') ? element.slice(1, -1).replaceAll('""', '"') : element,
  );
  return names.length === 0 ? literal('') : names.map(literal).join(', ');
}
