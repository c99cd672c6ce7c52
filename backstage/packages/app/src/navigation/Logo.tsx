import {
  Link,
  sidebarConfig,
  useSidebarOpenState,
} from '@backstage/core-components';
import { makeStyles } from '@material-ui/core';

const useStyles = makeStyles({
  root: {
    height: 3 * sidebarConfig.logoHeight,
    display: 'flex',
    alignItems: 'center',
    paddingLeft: 20,
    marginBottom: -14,
  },
  link: { display: 'flex', alignItems: 'center', gap: 10, color: '#fff' },
  name: { fontSize: 18, fontWeight: 600, whiteSpace: 'nowrap' },
});

export const Logo = () => {
  const classes = useStyles();
  const { isOpen } = useSidebarOpenState();

  return (
    <div className={classes.root}>
      <Link
        to="/"
        underline="none"
        className={classes.link}
        aria-label="ML Platform"
      >
        <svg viewBox="0 0 32 32" width="30" height="30" aria-hidden="true">
          <path
            d="M6 23 C10 23 10 9 16 9 S22 19 26 8"
            fill="none"
            stroke="#7df3e1"
            strokeWidth="3"
            strokeLinecap="round"
          />
          <circle cx="26" cy="8" r="2.6" fill="#7df3e1" />
        </svg>
        {isOpen && <span className={classes.name}>ML Platform</span>}
      </Link>
    </div>
  );
};
