import { ReactNode } from 'react';
import styles from './FactTable.module.css';

/** Names and values, one per line. */
export function FactTable(props: {
  label: string;
  rows: Array<[name: string, value: ReactNode]>;
}) {
  return (
    <table className={styles.facts} aria-label={props.label}>
      <tbody>
        {props.rows.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
