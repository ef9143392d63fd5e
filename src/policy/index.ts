/** The files of rules: read, and changed in one step. */
export * from './errors.js';
export { openRuleFiles, RULES_ROOT, type RuleFiles } from './files.js';
