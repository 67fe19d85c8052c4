import type { DatabaseProperties } from './manifest.ts';

/**
 * What a database should be like that is not there any more. Encoding and locale come from the server's own
 * template, since those of another server may not exist here; all else from the backup, as far as it fits.
 * @param template properties of `template1`. @param backup properties that a manifest recorded, where there is one.
 * @param roles every role of this server.
 */
export function propertiesOfMissing(
  name: string,
  template: DatabaseProperties,
  backup: DatabaseProperties | undefined,
  roles: readonly string[],
): DatabaseProperties {
  const known = (role: string | null): boolean => role === null || roles.includes(role);
  const plain = { ...template, name, connectionLimit: -1, comment: null, settings: [], grants: null };
  if (!backup) return plain;
  return {
    ...plain,
    owner: known(backup.owner) ? backup.owner : template.owner,
    connectionLimit: backup.connectionLimit,
    comment: backup.comment,
    settings: backup.settings.filter((setting) => known(setting.role)),
    grants: backup.grants?.filter((grant) => known(grant.grantee)) ?? null,
  };
}
