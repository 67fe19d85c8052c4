import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{download,downloadWhole}from"./chunk-M3QVFVO6.js";import"./chunk-4QIN6XX6.js";import"./chunk-LWAWUGZF.js";import"./chunk-B4SL57XL.js";import"./chunk-QZD46XFN.js";export{download,downloadWhole};
