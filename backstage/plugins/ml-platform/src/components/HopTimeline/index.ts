export * from './HopTimeline';
