import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{deleteObject,sweepUploads}from"./chunk-ISA2LWZD.js";import"./chunk-S6GD4GEB.js";import"./chunk-B4SL57XL.js";import"./chunk-QZD46XFN.js";export{deleteObject,sweepUploads};
