/** Metrics in the text format of Prometheus (version 0.0.4). Pure. */
import { printable } from '../../sysfs/text.js';

/** A metric, and its samples. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly samples: readonly Sample[];
}

/** A value, and what it is of. Labels may have any text. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The metrics as text. */
export function formatMetrics(metrics: readonly Metric[]): string {
  return metrics.map(formatMetric).join('');
}

function formatMetric({ name, help, type, samples }: Metric): string {
  const lines = samples.map(({ labels = {}, value }) => `${name}${formatLabels(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** The format has escapes for these only; what else could steer a terminal is made visible first. */
function escapeLabel(untrustedText: string): string {
  return printable(untrustedText).replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}
