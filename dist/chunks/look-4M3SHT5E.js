import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{look,lookIfAllowed}from"./chunk-M4HBAWV2.js";import"./chunk-LWAWUGZF.js";import"./chunk-3SRUE2LN.js";import"./chunk-QZD46XFN.js";export{look,lookIfAllowed};
