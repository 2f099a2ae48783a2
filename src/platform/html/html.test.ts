import { expect, test } from 'vitest';
import { html } from './html.ts';

test('every text is escaped, for elements and for attributes', () => {
  const evil = `<script>alert("1")</script>'\`&`;
  const page = String(html`<p title="${evil}">${evil}</p>`);
  expect(page).not.toMatch(/<script|"1"/);
  expect(page).toBe(
    '<p title="&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;&#39;&#96;&#38;">&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;&#39;&#96;&#38;</p>',
  );
});

test('pieces of pages stay as they are, lists of them follow each other, nothing is nothing', () => {
  const items = ['a', '<b>'].map((one) => html`<li>${one}</li>`);
  expect(String(html`<ul>${items}</ul>${undefined}${null}${false}${0}`)).toBe(
    '<ul><li>a</li><li>&#60;b&#62;</li></ul>0',
  );
});
