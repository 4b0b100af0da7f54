/*
 * Becomes a libcrypto.so that is nothing but a name for the system's libcrypto: CivetWeb 1.15 asks
 * for the unversioned name, which only development packages have.
 */
__attribute__((visibility("default"))) extern const char greenroom_libcrypto[];
const char greenroom_libcrypto[] = "greenroom";
