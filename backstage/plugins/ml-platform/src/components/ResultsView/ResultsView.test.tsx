import { screen } from '@testing-library/react';
import { ThemeProvider, createTheme } from '@material-ui/core/styles';
import { ResultFile } from '@internal/plugin-ml-platform-common';
import {
  results,
  succeededJob,
} from '@internal/plugin-ml-platform-common/fixtures';
import { FakeJobApi, renderWithJobs } from '../../__testUtils__';
import { ResultsView } from './ResultsView';

function picture(path: string): ResultFile {
  return { ...results.files[0], path };
}

async function shown(type: 'light' | 'dark') {
  const api = new FakeJobApi();
  const asked = jest.spyOn(api, 'resultFile');
  api.resultFiles = ['a.png', 'a-dark.png', 'b-dark.png', 'c.png'].map(picture);
  renderWithJobs(
    <ThemeProvider theme={createTheme({ palette: { type } })}>
      <ResultsView job={succeededJob} />
    </ThemeProvider>,
    api,
  );
  await screen.findByRole('img', { name: 'C' });
  const names = screen
    .getAllByRole('img')
    .map(image => image.getAttribute('alt'));
  return { names, files: asked.mock.calls.map(([, path]) => path) };
}

describe('ResultsView', () => {
  it('shows of a pair of pictures the one that was drawn for light pages', async () => {
    expect(await shown('light')).toEqual({
      names: ['A', 'B', 'C'],
      files: ['a.png', 'b-dark.png', 'c.png'],
    });
  });

  it('shows the other one on dark pages, under the same name', async () => {
    expect(await shown('dark')).toEqual({
      names: ['A', 'B', 'C'],
      files: ['a-dark.png', 'b-dark.png', 'c.png'],
    });
  });
});
