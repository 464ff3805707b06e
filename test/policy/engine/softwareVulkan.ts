import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { homePath } from '../../../infra/home.ts';
import { InfraProblem, type Report } from '../../../infra/problem.ts';
import { onPath, run } from '../../../infra/setup/command.ts';
import { exists, obtain, type Source } from '../../../infra/setup/obtain.ts';

/**
 * A Vulkan without a GPU: SwiftShader as Debian's Chromium brings it along, 6 MB that need nothing but the C library.
 * (Mesa's lavapipe lacks, in Debian 12, what the provider demands.)
 */
const files = ['libvulkan.so.1', 'libvk_swiftshader.so', 'vk_swiftshader_icd.json'];
const installed = '/usr/lib/chromium';

const debian: Source = {
  name: "Debian's chromium-common",
  async fetch(workspace, report) {
    if ((await onPath('apt-get')) === null) throw new InfraProblem('apt-get is not installed');
    const apt = (...args: string[]) => run('apt-get', args, { cwd: workspace, timeoutMs: 5 * 60_000 });
    report('fetching chromium-common with apt-get (30 MB)');
    // Without package lists, or with old ones, it is not found; only root can renew them.
    await apt('download', 'chromium-common').catch(async (error: unknown) => {
      if (process.getuid?.() !== 0) throw error;
      await apt('update');
      await apt('download', 'chromium-common');
    });
    const [archive] = (await readdir(workspace)).filter((name) => name.endsWith('.deb'));
    await run('dpkg-deb', ['--extract', archive!, 'package'], { cwd: workspace, timeoutMs: 120_000 });
    const kept = join(workspace, 'kept');
    await mkdir(kept);
    for (const file of files) await rename(join(workspace, 'package', installed, file), join(kept, file));
    return kept;
  },
};

/**
 * The environment in which an engine finds a Vulkan: that of this process when it names a driver, else SwiftShader of
 * an installed Chromium, from our cache or from Debian. Throws `InfraProblem`, which says why there is none.
 */
export async function softwareVulkan(report: Report): Promise<NodeJS.ProcessEnv> {
  const { VK_ICD_FILENAMES, VK_DRIVER_FILES, LD_LIBRARY_PATH } = process.env;
  if (VK_ICD_FILENAMES || VK_DRIVER_FILES) return {};
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new InfraProblem(`WebGPU is tested on Linux x64, this is ${process.platform} ${process.arch}`);
  const folder = (await exists(join(installed, files[1]!)))
    ? installed
    : await obtain(
        {
          name: 'Software Vulkan',
          target: homePath('swiftshader'),
          sources: [debian],
          executable: false,
          remedy: 'Install a Vulkan driver and name its JSON file in VK_ICD_FILENAMES.',
        },
        report,
      );
  return {
    VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
    LD_LIBRARY_PATH: [folder, LD_LIBRARY_PATH].filter(Boolean).join(':'),
  };
}
