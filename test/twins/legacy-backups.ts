import type { LegacyBackup } from '../../src/domain/legacy-backup.ts';
import type { LegacyBackups } from '../../src/ports.ts';
import type { Faults } from './faults.ts';

/** What dokku-postgres has set up for every service of a world. */
export interface LegacyState {
  legacy: LegacyBackup | undefined;
}

export function twinLegacyBackups(state: LegacyState, faults: Faults): LegacyBackups {
  return {
    read: () => faults.call('legacyBackups.read', () => state.legacy),
    unschedule: () =>
      faults.call('legacyBackups.unschedule', () => {
        if (state.legacy) state.legacy = { ...state.legacy, crontab: undefined };
      }),
  };
}
