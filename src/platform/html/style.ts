// A table of styles, for pages without scripts: readable on a phone, in the dark, with large letters.

/** The one style sheet. It stands in each page, and the policy of the page names its hash. */
export const style = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--back:#f6f8fa;--card:#fff;--main:#0b5cad;
--on-main:#fff;--good:#116329;--good-back:#dafbe1;--warn:#7a4b00;--warn-back:#fff3d0;--bad:#a40e26;--bad-back:#ffebe9}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--line:#353c45;--back:#0d1117;--card:#161b22;
--main:#6cb2ff;--on-main:#0d1117;--good:#7ee2a0;--good-back:#12361f;--warn:#f0c674;--warn-back:#3b2e0a;--bad:#ff9d95;
--bad-back:#45181b}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
overflow-wrap:anywhere}
header,main,footer{max-width:44rem;margin:0 auto;padding:0 1rem}
header{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.25rem 1rem;padding-top:1rem}
header form{display:inline}
.brand{font-weight:700;color:var(--ink);text-decoration:none}
.who{display:flex;flex-wrap:wrap;gap:0 .9rem;color:var(--soft);font-size:.9rem}
h1{font-size:1.5rem;line-height:1.25;margin:1.75rem 0 .75rem}
h2{font-size:1.05rem;line-height:1.3;margin:0}
p{margin:.5rem 0}
a{color:var(--main)}
small,.soft{color:var(--soft);font-size:.9rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem 1.25rem;margin:.75rem 0}
.card>:first-child{margin-top:0}
.card>:last-child{margin-bottom:0}
.row{display:flex;margin:.5rem 0;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.25rem .75rem}
.actions{display:flex;flex-wrap:wrap;gap:.5rem;margin-top:.75rem}
.actions form{margin:0}
.badge{border-radius:1rem;padding:.05rem .65rem;font-size:.85rem;font-weight:600;border:1px solid var(--line);
color:var(--soft)}
.good{background:var(--good-back);color:var(--good);border-color:transparent}
.warn{background:var(--warn-back);color:var(--warn);border-color:transparent}
.bad{background:var(--bad-back);color:var(--bad);border-color:transparent}
.note{border-radius:.75rem;padding:.75rem 1rem;margin:.75rem 0;font-weight:500}
.button,button{display:inline-flex;align-items:center;justify-content:center;font:inherit;font-weight:600;line-height:1.25;padding:.6rem 1rem;min-height:2.75rem;
border-radius:.5rem;border:1px solid var(--main);background:var(--main);color:var(--on-main);text-decoration:none;
cursor:pointer;text-align:center}
.plain{background:transparent;color:var(--main)}
.danger{background:transparent;color:var(--bad);border-color:var(--bad)}
.link{border:0;background:none;color:var(--main);text-decoration:underline;padding:0;min-height:0;font-weight:400}
.wide{display:flex;width:100%;margin:.5rem 0}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}
label{display:block;font-weight:600;margin:.75rem 0 .25rem}
input[type=text],input[type=password]{width:100%;font:inherit;padding:.55rem .7rem;border:1px solid var(--soft);
border-radius:.5rem;background:var(--back);color:var(--ink);min-height:2.75rem}
details{margin-top:.75rem}
summary{cursor:pointer;color:var(--main);padding:.25rem 0}
nav ul{list-style:none;padding:0;margin:0;display:flex;flex-wrap:wrap;gap:.5rem}
nav a{display:inline-block;padding:.35rem .85rem;border:1px solid var(--line);border-radius:1rem;text-decoration:none}
nav a[aria-current]{background:var(--main);color:var(--on-main);border-color:var(--main)}
footer{padding-top:1rem;padding-bottom:2rem}
@media (max-width:30rem){.actions>*,.actions button,.actions .button{width:100%}h1{font-size:1.3rem}}
`;
