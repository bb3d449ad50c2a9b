/**
 * The style sheet of a report: light and dark by the reader's scheme, one column on narrow screens, plain on paper.
 * @module
 */
import { paletteVariables } from "./palette.ts";

const LIGHT = "--paper:#f4f5f7;--card:#ffffff;--ink:#1f2933;--muted:#5a6675;--rule:#dfe3e8;--accent:#1f6fb8;" +
  "--good:31 111 184;--bad:190 50 70;--strong:#ffffff";
const DARK = "--paper:#0c0f12;--card:#14181d;--ink:#e6ebf0;--muted:#9aa6b4;--rule:#2b323b;--accent:#6cb4f5;" +
  "--good:72 148 222;--bad:226 86 106;--strong:#ffffff";

/** The whole sheet. */
export function styleSheet(): string {
  return `:root{color-scheme:light dark;${LIGHT};${paletteVariables("light")}}
@media (prefers-color-scheme:dark){:root{${DARK};${paletteVariables("dark")}}}
${RULES}`;
}

const RULES = `*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif}
main,header,footer{max-width:1180px;margin:0 auto;padding:0 24px}
header{padding-top:40px}
h1{font-size:2rem;line-height:1.2;margin:0 0 .6rem;overflow-wrap:anywhere}
h2{font-size:1.4rem;line-height:1.25;margin:0 0 .6rem}
h3{font-size:1.08rem;margin:1.8rem 0 .5rem}
h4{font-size:.95rem;margin:0 0 .4rem}
p{margin:0 0 .8rem;max-width:76ch}
a{color:var(--accent)}
nav{font-size:.9rem;display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:0 0 1.2rem}
section{min-width:0;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:24px;margin:0 0 20px}
.lead{font-size:1.06rem}
.caption,figcaption,.note{color:var(--muted);font-size:.875rem;line-height:1.45}
.note{border-left:3px solid var(--series-1);padding-left:.7rem}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{overflow-wrap:anywhere}
pre{margin:0;padding:.7rem .9rem;background:var(--paper);border:1px solid var(--rule);border-radius:6px;width:max-content;
min-width:100%}
small{color:var(--muted);font-size:.8em}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;margin:0 0 1.2rem;padding:0}
.tiles div{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.6rem .9rem}
.tiles dt{color:var(--muted);font-size:.8rem;line-height:1.3}
.tiles dd{margin:.1rem 0 0;font-size:1.3rem;font-weight:600;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:0 0 .6rem;border-radius:6px}
.scroll:focus-visible{outline:2px solid var(--accent)}
.cells svg{display:block;width:100%;min-width:820px;height:auto}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr));gap:28px 32px;margin-top:1.2rem}
figure{margin:0;min-width:0}
.samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(120px,1fr));gap:16px}
.sample{image-rendering:pixelated;border:1px solid var(--rule);border-radius:4px;background:var(--paper)}
.chart{display:block;width:100%;height:auto;max-width:460px;overflow:visible}
.chart.wide{max-width:820px}
figcaption{margin-top:.3rem}
.keys{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem .9rem;margin:.2rem 0;padding:0;font-size:.8rem}
.keys li{display:inline-flex;align-items:center;gap:.35rem;white-space:nowrap}
.keys b{font-weight:600;font-variant-numeric:tabular-nums}
.figures+.caption{margin-top:1rem}
.rules{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;font-size:.92rem;margin:0}
.rules dt{font-weight:600}
.rules dd{margin:0;color:var(--muted)}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding-bottom:.3rem}
caption small{font-weight:400}
th{font-weight:600;text-align:left}
.plain,.picks{min-width:min(100%,640px)}
.plain th,.plain td,.picks th,.picks td{padding:.28rem .7rem;border-bottom:1px solid var(--rule);vertical-align:baseline}
.plain thead th,.picks thead th{color:var(--muted);font-weight:500;white-space:nowrap}
.plain tbody th,.picks tbody th{font-weight:500;white-space:nowrap}
.num{text-align:right!important;white-space:nowrap}
.plain .wide{min-width:320px}
.pairs td{overflow-wrap:anywhere}
.pairs{width:min(100%,640px)}
.pairs th{width:1%}
.picks td{white-space:nowrap;border-bottom:0}
.picks tr.first td,.picks tr.first th,.picks tr.total td,.picks tr.total th{border-top:1px solid var(--rule)}
.picks th{border-bottom:0}
.picks th:first-child{position:sticky;left:0;background:var(--card);z-index:1}
.picks .chosen{background:rgb(var(--good) / .1)}
.picks thead .chosen{color:var(--ink);font-weight:700}
.picks .score{margin-left:.3rem}
.op{border-left:4px solid var(--c);padding-left:.4rem}
.from{color:var(--muted)}
.close{color:var(--series-1);font-weight:700}
details{border-top:1px solid var(--rule);padding:.6rem 0}
details h4{margin:1rem 0 .4rem}
summary{cursor:pointer;font-weight:600}
.heats{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:12px 24px}
.scores{table-layout:fixed;font-size:.8rem;border-spacing:0}
.scores.chosen caption span{text-decoration:underline;text-decoration-thickness:2px;text-underline-offset:3px;
text-decoration-color:var(--accent)}
.scores th{font-weight:500;color:var(--muted);padding:.1rem .35rem;line-height:1.15;text-align:center;vertical-align:bottom}
.scores tbody th{vertical-align:middle}
.scores td{width:54px;height:29px;padding:0 2px;text-align:center;border:1px solid var(--card)}
.heat{background:rgb(var(--good) / calc(var(--v) * .62))}
.heat.below{background:rgb(var(--bad) / calc(var(--v) * .62))}
td.pick,span.pick{outline:2px solid var(--ink);outline-offset:-2px;border-radius:3px}
td.pick{font-weight:700}
td.other,span.other{outline:2px dotted var(--muted);font-weight:400}
span.pick{padding:.1rem .35rem}
td sup{font-size:.7em;line-height:0;margin-left:1px}
td.none{color:var(--muted)}
.matrix tbody th{text-align:right;white-space:nowrap;max-width:150px;overflow:hidden;text-overflow:ellipsis}
.matrix thead th:not(:first-child) span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:130px;overflow:hidden;
text-overflow:ellipsis;white-space:nowrap;display:inline-block}
.matrix td{width:auto;min-width:36px}
.nowrap{white-space:nowrap}
.meter{display:inline-block;width:120px;height:9px;border-radius:5px;background:var(--rule);overflow:hidden}
.meter span{display:block;height:100%;background:var(--accent)}
.commands{margin:0;padding:0;list-style:none}
.commands li{margin:0 0 .9rem}
footer{color:var(--muted);font-size:.85rem;padding-bottom:40px}
@media (max-width:600px){.scores{font-size:.72rem}.scores td{width:39px;height:26px}.scores th{padding:.1rem .2rem}
main,header,footer{padding-left:10px;padding-right:10px}header{padding-top:20px}
section{padding:16px 12px;border-radius:8px}h1{font-size:1.5rem}.tiles{grid-template-columns:1fr 1fr}
.rules{grid-template-columns:1fr}.rules dd{margin-bottom:.4rem}}
@media print{body{background:none}section,.tiles div{border-color:#bbb;break-inside:auto}figure,tr{break-inside:avoid}
nav{display:none}.scroll{overflow:visible}}
`;
