import type { ServiceFigures } from '../../src/domain/figures.ts';
import { parseFigures } from '../../src/domain/figures.ts';
import type { Monitoring } from '../../src/ports.ts';
import type { Faults } from './faults.ts';

/** What monitoring keeps, and the textfiles by directory. */
export interface MonitoringState {
  readonly figures: Map<string, string>;
  told: readonly string[];
  readonly published: Map<string, string>;
}

export function nothingMonitored(): MonitoringState {
  return { figures: new Map(), told: [], published: new Map() };
}

export function twinMonitoring(state: MonitoringState, faults: Faults): Monitoring {
  return {
    figures: () =>
      faults.call('monitoring.figures', () =>
        [...state.figures.values()].map(parseFigures).filter((one): one is ServiceFigures => one !== undefined),
      ),
    keepFigures: (service, figures) =>
      faults.call('monitoring.keepFigures', () => {
        if (figures) state.figures.set(service, JSON.stringify(figures));
        else state.figures.delete(service);
      }),
    toldOverdue: () => faults.call('monitoring.toldOverdue', () => state.told),
    keepToldOverdue: (told) => faults.call('monitoring.keepToldOverdue', () => void (state.told = told)),
    publish: (directory, text) => faults.call('monitoring.publish', () => void state.published.set(directory, text)),
  };
}
