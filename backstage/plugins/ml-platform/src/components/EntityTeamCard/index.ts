export * from './EntityTeamCard';
