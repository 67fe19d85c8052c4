import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{deleteObject,sweepUploads}from"./chunk-VSSHQCZ5.js";import"./chunk-66FIO6ZC.js";import"./chunk-3SRUE2LN.js";import"./chunk-QZD46XFN.js";export{deleteObject,sweepUploads};
