import { createExtensionTester } from '@backstage/frontend-test-utils';
import { EntityCardBlueprint } from '@backstage/plugin-catalog-react/alpha';
import { mlPlatformPlugin } from './plugin';

describe('the card of a team’s jobs', () => {
  const card = createExtensionTester(
    mlPlatformPlugin.getExtension('entity-card:ml-platform/team'),
  );

  it.each([
    ['Group', 'team', true],
    ['Group', 'department', false],
    ['Resource', 'team', false],
  ])('is on the page of a %s of type %s: %s', (kind, type, isThere) => {
    const belongsTo = card.get(EntityCardBlueprint.dataRefs.filterFunction);
    const entity = {
      apiVersion: 'backstage.io/v1alpha1',
      kind,
      metadata: { name: 'stellarator-design' },
      spec: { type },
    };
    expect(belongsTo?.(entity)).toBe(isThere);
  });
});
