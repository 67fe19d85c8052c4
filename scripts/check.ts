// What needs no Docker: types, lint, dead code, shell, the build, unit and contract tests.
// usage: npm run check
import { checks } from './suites/checks.ts';
import { conclude, runSuites } from './suites/suite.ts';
import { tools } from './suites/tools.ts';

process.exitCode = conclude(await runSuites([tools, ...checks]));
