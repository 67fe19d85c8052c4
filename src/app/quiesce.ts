import type { AppState } from '../domain/journal.ts';
import type { AppName } from '../domain/names.ts';
import type { Ports } from '../ports.ts';

type AppPorts = Pick<Ports, 'dokku' | 'reporter'>;

/** What each app is like now, and what will be done to it. Changes nothing. */
export async function readAppStates(ports: AppPorts, apps: readonly AppName[], stop: boolean): Promise<AppState[]> {
  return Promise.all(
    apps.map(async (name) => {
      const [maintenance, running] = await Promise.all([ports.dokku.maintenance(name), stop ? ports.dokku.running(name) : false]);
      if (maintenance === 'unavailable') ports.reporter.warn(`The maintenance plugin is not installed: ${name} goes on serving meanwhile`);
      return { name, maintenance: maintenance === 'unavailable' ? null : maintenance, stopped: running };
    }),
  );
}

/** Puts the apps into maintenance, and stops those that are to be stopped. */
export async function quiesceApps(ports: AppPorts, apps: readonly AppName[], states: readonly AppState[]): Promise<void> {
  for (const app of apps) {
    const state = states.find((candidate) => candidate.name === app);
    if (state?.maintenance === 'off') {
      ports.reporter.step(`Maintenance mode on for ${app}`);
      await ports.dokku.setMaintenance(app, true);
    }
    if (state?.stopped) {
      ports.reporter.step(`Stopping ${app}`);
      await ports.dokku.stopApp(app);
    }
  }
}
