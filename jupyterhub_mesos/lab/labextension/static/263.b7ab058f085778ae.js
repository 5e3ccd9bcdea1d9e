"use strict";(self.rspackChunkjupyterhub_mesos_lab=self.rspackChunkjupyterhub_mesos_lab||[]).push([[263],{39(a,r,o){var e=o(645),t=o.n(e),i=o(278),p=(o.n(i))()(t());p.push([a.id,`/* Only the theme's own colours, so that light and dark come by themselves. */

.jp-ToolbarButtonComponent[data-command^='capacity:'] .jp-ToolbarButtonComponent-label {
  padding-left: 4px;
}

.capacity-Dialog .jp-Dialog-content {
  max-width: 640px;
  max-height: 90vh;
}

.capacity-Form form {
  display: flex;
  flex-direction: column;
  gap: 8px;
  min-width: 480px;
  padding: 2px;
}

.capacity-Form-lead {
  margin: 0 0 4px;
}

.capacity-Form-row {
  display: grid;
  grid-template-columns: 150px 1fr;
  gap: 12px;
  align-items: start;
}

.capacity-Form-row > label {
  padding-top: 6px;
}

.capacity-Form-row input,
.capacity-Form-row select {
  box-sizing: border-box;
  width: 100%;
}

.capacity-Form-row .jp-HTMLSelect select {
  height: 28px;
  padding: 0 28px 0 8px;
  font-size: var(--jp-ui-font-size1);
}

.capacity-Form-row .jp-HTMLSelect,
.capacity-Log-head .jp-HTMLSelect {
  border: var(--jp-border-width) solid var(--jp-input-border-color);
  border-radius: 2px;
  background: var(--jp-input-background);
}

.capacity-Form-row .jp-HTMLSelect > span {
  top: 4px;
}

.capacity-Form-row input {
  height: 28px;
  font-size: var(--jp-ui-font-size1);
}

.capacity-Form-row input[type='checkbox'] {
  width: auto;
  height: auto;
  margin: 8px 0 2px;
}

.capacity-Form-row [aria-invalid='true'] {
  border-color: var(--jp-error-color1);
  outline: 1px solid var(--jp-error-color1);
}

.capacity-Kinds label {
  display: flex;
  gap: 8px;
  align-items: start;
  cursor: pointer;
}

.capacity-Kinds label > span {
  display: flex;
  flex-direction: column;
}

.capacity-Form-amount {
  display: flex;
  gap: 8px;
  align-items: center;
}

.capacity-Form-amount input {
  width: 120px;
}

.capacity-Form-help {
  margin: 0;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
}

.capacity-Form fieldset {
  display: flex;
  flex-direction: column;
  gap: 8px;
  margin: 4px 0 0;
  padding: 8px 12px 12px;
  border: var(--jp-border-width) solid var(--jp-border-color2);
}

.capacity-Form fieldset .capacity-Form-row {
  grid-template-columns: 137px 1fr;
}

.capacity-Form-warning,
.capacity-Form-problem {
  margin: 0;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}

.capacity-Form-problem:empty {
  display: none;
}

.capacity-Form-problem {
  padding: 8px 12px;
  border-left: 4px solid var(--jp-error-color1);
  background: var(--jp-layout-color2);
}

.capacity-Form-warning {
  padding: 8px 12px;
  border-left: 4px solid var(--jp-warn-color1);
  background: var(--jp-layout-color2);
}

/* ---- panels */

.capacity-Panel {
  box-sizing: border-box;
  overflow: auto;
  padding: 16px 20px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  font-family: var(--jp-ui-font-family);
}

.capacity-Panel header {
  display: flex;
  flex-wrap: wrap;
  gap: 12px;
  align-items: center;
  margin-bottom: 12px;
}

.capacity-Panel h2 {
  margin: 0;
  font-size: var(--jp-ui-font-size3);
  font-weight: 600;
  overflow-wrap: anywhere;
}

.capacity-Panel a {
  color: var(--jp-content-link-color);
}

.capacity-Panel-actions {
  display: flex;
  gap: 12px;
  align-items: center;
  margin-left: auto;
}

.capacity-State {
  padding: 2px 10px;
  border: 1px solid currentcolor;
  border-radius: 10px;
  font-weight: 600;
}

.capacity-State.capacity-mod-waiting {
  color: var(--jp-warn-color0);
}

.capacity-State.capacity-mod-running {
  color: var(--jp-brand-color1);
}

.capacity-State.capacity-mod-good {
  color: var(--jp-success-color0);
}

.capacity-State.capacity-mod-bad {
  color: var(--jp-error-color1);
}

.capacity-State.capacity-mod-neutral {
  color: var(--jp-ui-font-color2);
}

.capacity-Notice {
  margin: 0 0 12px;
  padding: 8px 12px;
  border-left: 4px solid var(--jp-border-color1);
  background: var(--jp-layout-color2);
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}

.capacity-Notice p {
  margin: 0 0 6px;
}

.capacity-Notice.capacity-mod-waiting {
  border-color: var(--jp-warn-color1);
}

.capacity-Notice.capacity-mod-good {
  border-color: var(--jp-success-color1);
}

.capacity-Notice.capacity-mod-bad {
  border-color: var(--jp-error-color1);
}

.capacity-Progress {
  display: flex;
  gap: 12px;
  align-items: center;
  margin-bottom: 8px;
}

.capacity-Progress progress {
  flex: 1;
  max-width: 420px;
  accent-color: var(--jp-brand-color1);
}

.capacity-Curves {
  display: grid;
  grid-template-columns: repeat(auto-fill, minmax(210px, 1fr));
  gap: 12px;
  margin-bottom: 12px;
}

.capacity-Curve {
  margin: 0;
}

.capacity-Curve figcaption {
  margin-bottom: 2px;
  color: var(--jp-ui-font-color1);
}

.capacity-Curve svg {
  width: 100%;
  max-width: 380px;
}

.capacity-Curve-legend {
  display: flex;
  flex-wrap: wrap;
  gap: 4px 12px;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
}

.capacity-Curve polyline {
  fill: none;
  stroke: currentcolor;
  stroke-width: 1.75;
  stroke-linejoin: round;
}

.capacity-Curve circle {
  fill: currentcolor;
}

.capacity-Curve .capacity-mod-worker0 {
  color: var(--jp-brand-color1);
}

.capacity-Curve .capacity-mod-worker1 {
  color: var(--jp-warn-color1);
}

.capacity-Curve .capacity-mod-worker2 {
  color: var(--jp-success-color1);
}

.capacity-Curve .capacity-mod-worker3 {
  color: var(--jp-error-color1);
}

.capacity-Curve-axes path {
  fill: none;
  stroke: var(--jp-border-color1);
}

.capacity-Curve-axes text {
  fill: var(--jp-ui-font-color2);
  font-size: 13px;
}

.capacity-Curve-restart {
  stroke: var(--jp-ui-font-color3);
  stroke-dasharray: 3 3;
}

.capacity-Log-head {
  display: flex;
  flex-wrap: wrap;
  gap: 8px;
  align-items: center;
  margin-bottom: 6px;
}

.capacity-Log {
  overflow: auto;
  max-height: 340px;
  min-height: 60px;
  margin: 0;
  padding: 8px 10px;
  border: var(--jp-border-width) solid var(--jp-border-color2);
  background: var(--jp-layout-color0);
  color: var(--jp-content-font-color1);
  font-family: var(--jp-code-font-family);
  font-size: var(--jp-code-font-size);
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}

.capacity-Panel details {
  margin-top: 12px;
}

.capacity-Steps {
  margin: 0 0 12px;
  padding: 0;
  list-style: none;
}

.capacity-Steps li {
  display: grid;
  grid-template-columns: 16px 80px 1fr auto;
  gap: 8px;
  padding: 5px 0;
  border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
  overflow-wrap: anywhere;
}

.capacity-Steps li > span:first-child {
  color: var(--jp-success-color0);
}

.capacity-Steps .capacity-mod-pending {
  color: var(--jp-ui-font-color2);
}

.capacity-Pipeline {
  margin: 0 0 12px;
  padding: 0;
  list-style: none;
}

.capacity-Panel > .capacity-Form-help,
.capacity-Panel > .jp-ReactWidget > .capacity-Form-help {
  margin-bottom: 10px;
}

.capacity-Pipeline > li {
  display: flex;
  flex-direction: column;
  gap: 6px;
  padding: 8px 0 8px 12px;
  border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
  border-left: 4px solid var(--jp-border-color2);
  overflow-wrap: anywhere;
}

.capacity-Pipeline > li.capacity-mod-good {
  border-left-color: var(--jp-success-color1);
}

.capacity-Pipeline > li.capacity-mod-bad {
  border-left-color: var(--jp-error-color1);
}

.capacity-Pipeline > li.capacity-mod-running {
  border-left-color: var(--jp-brand-color1);
}

.capacity-Pipeline p {
  margin: 0;
  white-space: pre-wrap;
}

.capacity-Pipeline button {
  align-self: start;
}

.capacity-Pipeline-step {
  display: grid;
  grid-template-columns: 16px 76px 1fr auto;
  gap: 8px;
}

.capacity-Pipeline-word {
  color: var(--jp-ui-font-color2);
}

.capacity-mod-good > .capacity-Pipeline-step > .capacity-Pipeline-sign {
  color: var(--jp-success-color0);
}

.capacity-mod-bad > .capacity-Pipeline-step > .capacity-Pipeline-sign,
.capacity-mod-bad > .capacity-Pipeline-step > .capacity-Pipeline-word {
  color: var(--jp-error-color1);
}

.capacity-mod-running > .capacity-Pipeline-step > .capacity-Pipeline-sign {
  color: var(--jp-brand-color1);
}

.capacity-Pipeline-child {
  display: flex;
  flex-wrap: wrap;
  gap: 8px 12px;
  align-items: center;
}

.capacity-Table {
  border-collapse: collapse;
  font-size: var(--jp-ui-font-size0);
}

.capacity-Table th,
.capacity-Table td {
  padding: 3px 10px 3px 0;
  border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
  overflow-wrap: normal;
  text-align: left;
  vertical-align: top;
}

.capacity-Pipeline .capacity-Curves {
  grid-template-columns: repeat(auto-fill, minmax(160px, 1fr));
}

/* ---- the lake */

.capacity-Lake {
  overflow: hidden;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  font-family: var(--jp-ui-font-family);
}

.capacity-Lake-drop {
  display: flex;
  flex-direction: column;
  box-sizing: border-box;
  height: 100%;
}

.capacity-Lake-tools {
  display: flex;
  gap: 2px;
  align-items: center;
  padding: 8px 8px 4px 12px;
}

.capacity-Lake-tools h2 {
  flex: 1;
  margin: 0;
  font-size: var(--jp-ui-font-size1);
  font-weight: 600;
}

.capacity-Lake-tools button:disabled {
  opacity: 0.4;
}

.capacity-Lake-crumbs {
  display: flex;
  flex-wrap: wrap;
  gap: 2px;
  align-items: center;
  padding: 0 8px 4px;
}

.capacity-Lake-crumbs button {
  padding: 2px 4px;
  border: 0;
  border-radius: 2px;
  background: none;
  color: var(--jp-ui-font-color1);
  font: inherit;
  cursor: pointer;
}

.capacity-Lake-crumbs button:hover {
  background: var(--jp-layout-color2);
}

.capacity-Lake-crumbs [aria-current] {
  font-weight: 600;
}

.capacity-Lake-badge {
  padding: 0 6px;
  border: 1px solid var(--jp-border-color1);
  border-radius: 8px;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
}

.capacity-Lake-order {
  display: flex;
  gap: 8px;
  align-items: center;
  padding: 0 12px 6px;
}

.capacity-Lake-order .jp-HTMLSelect {
  border: var(--jp-border-width) solid var(--jp-input-border-color);
  border-radius: 2px;
  background: var(--jp-input-background);
}

.capacity-Lake-list {
  overflow: auto;
  flex: 1;
  min-height: 80px;
  margin: 0;
  padding: 0;
  list-style: none;
}

.capacity-Lake-list:focus-visible {
  outline: 1px solid var(--jp-brand-color1);
  outline-offset: -1px;
}

.capacity-Lake-list li {
  display: grid;
  grid-template-columns: 16px minmax(60px, 1fr) auto;
  gap: 2px 8px;
  align-items: center;
  padding: 4px 12px;
  cursor: default;
}

.capacity-Lake-list li:hover {
  background: var(--jp-layout-color2);
}

.capacity-Lake-list li[aria-selected='true'] {
  background: var(--jp-brand-color1);
  color: var(--jp-ui-inverse-font-color1);
}

.capacity-Lake-list li[aria-selected='true'] .jp-icon3 {
  fill: var(--jp-ui-inverse-font-color1);
}

.capacity-Lake-name {
  overflow-wrap: anywhere;
}

.capacity-Lake-size {
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  text-align: right;
}

.capacity-Lake-when {
  grid-column: 2 / 4;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
}

.capacity-Lake-list li[aria-selected='true'] .capacity-Lake-size,
.capacity-Lake-list li[aria-selected='true'] .capacity-Lake-when {
  color: inherit;
}

.capacity-Lake-drop > .jp-mod-styled {
  margin: 4px 12px;
}

.capacity-Lake-drop > .capacity-Notice {
  margin: 4px 12px 8px;
}

.capacity-Lake-drop > .capacity-Form-warning,
.capacity-Lake-empty {
  margin: 0 12px 8px;
  overflow-wrap: anywhere;
}

.capacity-Lake-empty {
  color: var(--jp-ui-font-color2);
}

.capacity-Lake-chosen,
.capacity-Lake section[aria-label='Uploads'] {
  padding: 8px 12px;
  border-top: var(--jp-border-width) solid var(--jp-border-color2);
  overflow-wrap: anywhere;
}

.capacity-Lake-acts {
  display: flex;
  flex-wrap: wrap;
  gap: 4px;
  margin-top: 6px;
}

.capacity-Lake-uploads {
  margin: 0;
  padding: 0;
  list-style: none;
}

.capacity-Lake-uploads li {
  display: flex;
  flex-wrap: wrap;
  gap: 4px 8px;
  align-items: center;
  margin-bottom: 6px;
}

.capacity-Lake-uploads progress {
  flex: 1;
  min-width: 60px;
  accent-color: var(--jp-brand-color1);
}

.capacity-Lake-grid {
  overflow: auto;
  max-width: 100%;
}

.capacity-Lake-grid th .capacity-Form-help {
  display: block;
  font-weight: normal;
}

.capacity-Lake-grid td {
  max-width: 320px;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.capacity-Lake-picture {
  max-width: 100%;
  image-rendering: pixelated;
}

.capacity-Lake-text {
  max-height: none;
}
`,""]),o.d(r,{},{A:p})},278(a){a.exports=function(a){var r=[];return r.toString=function(){return this.map(function(r){var o="",e=void 0!==r[5];return r[4]&&(o+="@supports (".concat(r[4],") {")),r[2]&&(o+="@media ".concat(r[2]," {")),e&&(o+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),o+=a(r),e&&(o+="}"),r[2]&&(o+="}"),r[4]&&(o+="}"),o}).join("")},r.i=function(a,o,e,t,i){"string"==typeof a&&(a=[[null,a,void 0]]);var p={};if(e)for(var c=0;c<this.length;c++){var n=this[c][0];null!=n&&(p[n]=!0)}for(var l=0;l<a.length;l++){var d=[].concat(a[l]);e&&p[d[0]]||(void 0!==i&&(void 0===d[5]||(d[1]="@layer".concat(d[5].length>0?" ".concat(d[5]):""," {").concat(d[1],"}")),d[5]=i),o&&(d[2]&&(d[1]="@media ".concat(d[2]," {").concat(d[1],"}")),d[2]=o),t&&(d[4]?(d[1]="@supports (".concat(d[4],") {").concat(d[1],"}"),d[4]=t):d[4]="".concat(t)),r.push(d))}},r}},645(a){a.exports=function(a){return a[1]}},292(a){var r=[];function o(a){for(var o=-1,e=0;e<r.length;e++)if(r[e].identifier===a){o=e;break}return o}function e(a,e){for(var t={},i=[],p=0;p<a.length;p++){var c=a[p],n=e.base?c[0]+e.base:c[0],l=t[n]||0,d="".concat(n," ").concat(l);t[n]=l+1;var s=o(d),y={css:c[1],media:c[2],sourceMap:c[3],supports:c[4],layer:c[5]};if(-1!==s)r[s].references++,r[s].updater(y);else{var u=function(a,r){var o=r.domAPI(r);return o.update(a),function(r){r?(r.css!==a.css||r.media!==a.media||r.sourceMap!==a.sourceMap||r.supports!==a.supports||r.layer!==a.layer)&&o.update(a=r):o.remove()}}(y,e);e.byIndex=p,r.splice(p,0,{identifier:d,updater:u,references:1})}i.push(d)}return i}a.exports=function(a,t){var i=e(a=a||[],t=t||{});return function(a){a=a||[];for(var p=0;p<i.length;p++){var c=o(i[p]);r[c].references--}for(var n=e(a,t),l=0;l<i.length;l++){var d=o(i[l]);0===r[d].references&&(r[d].updater(),r.splice(d,1))}i=n}}},383(a){var r={};a.exports=function(a,o){var e=function(a){if(void 0===r[a]){var o=document.querySelector(a);if(window.HTMLIFrameElement&&o instanceof window.HTMLIFrameElement)try{o=o.contentDocument.head}catch(a){o=null}r[a]=o}return r[a]}(a);if(!e)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");e.appendChild(o)}},88(a){a.exports=function(a){var r=document.createElement("style");return a.setAttributes(r,a.attributes),a.insert(r,a.options),r}},884(a,r,o){a.exports=function(a){var r=o.nc;r&&a.setAttribute("nonce",r)}},893(a){a.exports=function(a){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=a.insertStyleElement(a);return{update:function(o){var e,t,i;e="",o.supports&&(e+="@supports (".concat(o.supports,") {")),o.media&&(e+="@media ".concat(o.media," {")),(t=void 0!==o.layer)&&(e+="@layer".concat(o.layer.length>0?" ".concat(o.layer):""," {")),e+=o.css,t&&(e+="}"),o.media&&(e+="}"),o.supports&&(e+="}"),(i=o.sourceMap)&&"u">typeof btoa&&(e+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(i))))," */")),a.styleTagTransform(e,r,a.options)},remove:function(){var a;null===(a=r).parentNode||a.parentNode.removeChild(a)}}}},997(a){a.exports=function(a,r){if(r.styleSheet)r.styleSheet.cssText=a;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(a))}}},538(a,r,o){var e=o(292),t=o.n(e),i=o(893),p=o.n(i),c=o(383),n=o.n(c),l=o(884),d=o.n(l),s=o(88),y=o.n(s),u=o(997),m=o.n(u),f=o(39),x={};x.styleTagTransform=m(),x.setAttributes=d(),x.insert=n().bind(null,"head"),x.domAPI=p(),x.insertStyleElement=y(),t()(f.A,x),f.A&&f.A.locals&&f.A.locals}}]);