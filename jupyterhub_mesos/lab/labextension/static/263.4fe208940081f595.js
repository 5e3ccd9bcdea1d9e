"use strict";(self.rspackChunkjupyterhub_mesos_lab=self.rspackChunkjupyterhub_mesos_lab||[]).push([[263],{39(a,r,o){var t=o(645),e=o.n(t),c=o(278),p=(o.n(c))()(e());p.push([a.id,`/* Only the theme's own colours, so that light and dark come by themselves. */

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

.capacity-Form-amount {
  display: flex;
  gap: 8px;
  align-items: center;
}

.capacity-Form-amount input {
  width: 120px;
}

.capacity-Form-help {
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
`,""]),o.d(r,{},{A:p})},278(a){a.exports=function(a){var r=[];return r.toString=function(){return this.map(function(r){var o="",t=void 0!==r[5];return r[4]&&(o+="@supports (".concat(r[4],") {")),r[2]&&(o+="@media ".concat(r[2]," {")),t&&(o+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),o+=a(r),t&&(o+="}"),r[2]&&(o+="}"),r[4]&&(o+="}"),o}).join("")},r.i=function(a,o,t,e,c){"string"==typeof a&&(a=[[null,a,void 0]]);var p={};if(t)for(var i=0;i<this.length;i++){var n=this[i][0];null!=n&&(p[n]=!0)}for(var l=0;l<a.length;l++){var s=[].concat(a[l]);t&&p[s[0]]||(void 0!==c&&(void 0===s[5]||(s[1]="@layer".concat(s[5].length>0?" ".concat(s[5]):""," {").concat(s[1],"}")),s[5]=c),o&&(s[2]&&(s[1]="@media ".concat(s[2]," {").concat(s[1],"}")),s[2]=o),e&&(s[4]?(s[1]="@supports (".concat(s[4],") {").concat(s[1],"}"),s[4]=e):s[4]="".concat(e)),r.push(s))}},r}},645(a){a.exports=function(a){return a[1]}},292(a){var r=[];function o(a){for(var o=-1,t=0;t<r.length;t++)if(r[t].identifier===a){o=t;break}return o}function t(a,t){for(var e={},c=[],p=0;p<a.length;p++){var i=a[p],n=t.base?i[0]+t.base:i[0],l=e[n]||0,s="".concat(n," ").concat(l);e[n]=l+1;var d=o(s),u={css:i[1],media:i[2],sourceMap:i[3],supports:i[4],layer:i[5]};if(-1!==d)r[d].references++,r[d].updater(u);else{var m=function(a,r){var o=r.domAPI(r);return o.update(a),function(r){r?(r.css!==a.css||r.media!==a.media||r.sourceMap!==a.sourceMap||r.supports!==a.supports||r.layer!==a.layer)&&o.update(a=r):o.remove()}}(u,t);t.byIndex=p,r.splice(p,0,{identifier:s,updater:m,references:1})}c.push(s)}return c}a.exports=function(a,e){var c=t(a=a||[],e=e||{});return function(a){a=a||[];for(var p=0;p<c.length;p++){var i=o(c[p]);r[i].references--}for(var n=t(a,e),l=0;l<c.length;l++){var s=o(c[l]);0===r[s].references&&(r[s].updater(),r.splice(s,1))}c=n}}},383(a){var r={};a.exports=function(a,o){var t=function(a){if(void 0===r[a]){var o=document.querySelector(a);if(window.HTMLIFrameElement&&o instanceof window.HTMLIFrameElement)try{o=o.contentDocument.head}catch(a){o=null}r[a]=o}return r[a]}(a);if(!t)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");t.appendChild(o)}},88(a){a.exports=function(a){var r=document.createElement("style");return a.setAttributes(r,a.attributes),a.insert(r,a.options),r}},884(a,r,o){a.exports=function(a){var r=o.nc;r&&a.setAttribute("nonce",r)}},893(a){a.exports=function(a){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=a.insertStyleElement(a);return{update:function(o){var t,e,c;t="",o.supports&&(t+="@supports (".concat(o.supports,") {")),o.media&&(t+="@media ".concat(o.media," {")),(e=void 0!==o.layer)&&(t+="@layer".concat(o.layer.length>0?" ".concat(o.layer):""," {")),t+=o.css,e&&(t+="}"),o.media&&(t+="}"),o.supports&&(t+="}"),(c=o.sourceMap)&&"u">typeof btoa&&(t+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(c))))," */")),a.styleTagTransform(t,r,a.options)},remove:function(){var a;null===(a=r).parentNode||a.parentNode.removeChild(a)}}}},997(a){a.exports=function(a,r){if(r.styleSheet)r.styleSheet.cssText=a;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(a))}}},538(a,r,o){var t=o(292),e=o.n(t),c=o(893),p=o.n(c),i=o(383),n=o.n(i),l=o(884),s=o.n(l),d=o(88),u=o.n(d),m=o(997),y=o.n(m),f=o(39),v={};v.styleTagTransform=y(),v.setAttributes=s(),v.insert=n().bind(null,"head"),v.domAPI=p(),v.insertStyleElement=u(),e()(f.A,v),f.A&&f.A.locals&&f.A.locals}}]);