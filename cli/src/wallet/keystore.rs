//! The file that keeps the L1 key, encrypted: Web3 Secret Storage version 3 (scrypt, AES-128-CTR).

use super::WalletError;
use alloy::primitives::B256;
use alloy::signers::k256::elliptic_curve::rand_core::OsRng;
use alloy::signers::local::PrivateKeySigner;
use std::io::IsTerminal;
use std::path::Path;

/// The environment variable that names the file with the password.
pub const PASSWORD_FILE_VARIABLE: &str = "SHEAF_PASSWORD_FILE";

/// Encrypts a key into a new file that only its owner can read.
///
/// # Errors
/// [`WalletError::KeystoreExists`] if there is a file already: it is left as it is.
pub fn create(path: &Path, key: &PrivateKeySigner, password: &str) -> Result<(), WalletError> {
    let failed = |error: &dyn std::fmt::Display| WalletError::Keystore(format!("{} can't be written: {error}", path.display()));
    let exists = || WalletError::KeystoreExists(path.display().to_string());
    if path.exists() {
        return Err(exists());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
    // Written aside and linked into place: a keystore is whole or absent, and linking never replaces a file.
    let aside = tempfile::Builder::new().prefix(".keystore").tempdir_in(folder).map_err(|e| failed(&e))?;
    PrivateKeySigner::encrypt_keystore(aside.path(), &mut OsRng, key.to_bytes(), password, Some("key"))
        .map_err(|e| failed(&e))?;
    let written = aside.path().join("key");
    restrict(&written).map_err(|e| failed(&e))?;
    std::fs::hard_link(&written, path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(),
        _ => failed(&error),
    })
}

#[cfg(unix)]
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Decrypts the key.
///
/// # Errors
/// [`WalletError::WrongPassword`], or [`WalletError::Keystore`] if the file is absent or no keystore.
pub fn open(path: &Path, password: &str) -> Result<PrivateKeySigner, WalletError> {
    if !path.exists() {
        let hint = "make one with `sheaf wallet new`";
        return Err(WalletError::Keystore(format!("there is no keystore at {}: {hint}", path.display())));
    }
    PrivateKeySigner::decrypt_keystore(path, password).map_err(|error| {
        // The keystore's MAC is over the derived key, so a wrong password shows as a mismatch of it.
        if error.to_string().contains("Mac Mismatch") {
            WalletError::WrongPassword
        } else {
            WalletError::Keystore(format!("{} is no keystore: {error}", path.display()))
        }
    })
}

/// Reads a bare L1 key, 32 bytes of hex, from a file.
///
/// # Errors
/// [`WalletError::Keystore`]; the file's content is not in the message.
pub fn read_key(path: &Path) -> Result<PrivateKeySigner, WalletError> {
    let text = std::fs::read_to_string(path).map_err(|e| WalletError::Keystore(format!("{}: {e}", path.display())))?;
    let bytes: Option<B256> = text.trim().parse().ok();
    bytes
        .and_then(|bytes| PrivateKeySigner::from_bytes(&bytes).ok())
        .ok_or_else(|| WalletError::Keystore(format!("{} holds no private key: 0x and 64 hex digits", path.display())))
}

/// Gets the password: from the file, or from the terminal without echo, twice if it is `new`.
///
/// # Errors
/// [`WalletError::Password`].
pub fn password(file: Option<&Path>, new: bool) -> Result<String, WalletError> {
    let failed = |error: std::io::Error| WalletError::Password(error.to_string());
    let password = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| WalletError::Password(format!("{} can't be read: {error}", path.display())))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None if !std::io::stdin().is_terminal() => {
            let hint = format!("there is no terminal to ask; name a file with --password-file or {PASSWORD_FILE_VARIABLE}");
            return Err(WalletError::Password(hint));
        }
        None => {
            let password = rpassword::prompt_password("Password: ").map_err(failed)?;
            if new && rpassword::prompt_password("Again: ").map_err(failed)? != password {
                return Err(WalletError::Password("the two differ".to_owned()));
            }
            password
        }
    };
    if password.is_empty() {
        return Err(WalletError::Password("it is empty".to_owned()));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::{create, open};
    use alloy::signers::local::PrivateKeySigner;

    #[test]
    fn key_survives_and_nothing_overwrites_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/wallet.json");
        let (key, other) = (PrivateKeySigner::random(), PrivateKeySigner::random());
        create(&path, &key, "correct horse").unwrap();
        assert_eq!(create(&path, &other, "other").unwrap_err().code(), "keystore_exists");
        assert_eq!(open(&path, "correct horse").unwrap().address(), key.address());
        assert_eq!(open(&path, "battery staple").unwrap_err().code(), "wrong_password");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "only the keystore is left");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&alloy::primitives::hex::encode(key.to_bytes())));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_no_keystore_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wallet.json");
        assert_eq!(open(&path, "x").unwrap_err().code(), "keystore");
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(open(&path, "x").unwrap_err().code(), "keystore");
    }
}
