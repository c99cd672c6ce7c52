export * from './MetricChart';
