import '@testing-library/jest-dom';
import { configure } from '@testing-library/react';

// A busy machine draws slowly; how fast a page is, is not what these tests are about.
configure({ asyncUtilTimeout: 10_000 });
jest.setTimeout(60_000);
